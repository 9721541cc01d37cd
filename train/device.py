"""Where a model computes, and whether 16-bit numbers make it quicker there."""

import torch

from strop.host import cpu_flags

from .config import Precision

CPUS_WITH_BF16 = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
"""The kernel's names of instructions that multiply bfloat16; the last is Arm's."""


def best_device() -> torch.device:
    """The GPU, where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def in_bf16(precision: Precision) -> bool:
    """Whether to multiply in bf16: ``auto`` does where that device has instructions for it.

    One without them is slower at it than in fp32.
    """
    if precision != "auto":
        return precision == "bf16"
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return not cpu_flags().isdisjoint(CPUS_WITH_BF16)
