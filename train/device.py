"""Where a model computes, and in which numbers its matrices are multiplied there."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch

from strop.errors import InputError
from strop.host import cpu_flags

from .running import Precision

CPUS_WITH_BF16 = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
"""The kernel's names of instructions that multiply bfloat16; the last is Arm's."""
AMPERE = (8, 0)
"""The first compute capability with TF32."""
Arithmetic = Literal["bf16", "fp16", "tf32", "fp32"]


def best_device() -> torch.device:
    """The GPU, where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def arithmetic(precision: Precision) -> Arithmetic:
    """What to multiply in: ``auto`` is bf16 where that device has instructions for it, else fp32.

    One without them is slower in bf16 than in fp32. Raises ``InputError`` for what this machine lacks.
    """
    on_gpu = torch.cuda.is_available()
    if precision == "auto":
        return "bf16" if _multiplies_bf16(on_gpu) else "fp32"
    if precision in {"fp16", "tf32"} and not on_gpu:
        raise InputError(f"--precision {precision} needs a CUDA GPU, and there is none; give auto")
    if precision == "tf32" and torch.cuda.get_device_capability() < AMPERE:
        raise InputError(f"--precision tf32: {torch.cuda.get_device_name()} has no TF32; give auto")
    return precision


def _multiplies_bf16(on_gpu: bool) -> bool:
    if on_gpu:
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return not cpu_flags().isdisjoint(CPUS_WITH_BF16)


@contextmanager
def fp32_products(numbers: Arithmetic) -> Iterator[None]:
    """On CUDA, compute products of fp32 matrices in TF32 beside bf16 and tf32, and else in full.

    GPUs without TF32 compute them in full in any case. Afterwards it is as before: what is scored or
    exported next is not to follow how something was trained.
    """
    if not torch.cuda.is_available():
        yield
        return
    # Not by torch.backends.cuda.matmul.fp32_precision, on which torch's compiler and whoever else reads
    # the older switches would fail: this sets them all.
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if numbers in {"bf16", "tf32"} else "highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
