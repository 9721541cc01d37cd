"""Memory that doesn't suffice: said in options to turn."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from strop.errors import StropError

from .config import TrainConfig

CPU_ALLOCATOR = "DefaultCPUAllocator"
"""What torch's error names where the memory of the machine, not of a GPU, doesn't suffice."""


@contextmanager
def named_remedies(config: TrainConfig) -> Iterator[None]:
    """Turn an allocation that failed into a ``StropError`` that says which options to turn."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not _is_allocation(error):
            raise
        raise StropError(
            f"out of memory; {remedies(config)}; strop train --check estimates what is needed"
        ) from error


def remedies(config: TrainConfig) -> str:
    """The options that take less memory, those that cost least first."""
    smaller = f"halve --batch-size ({config.batch_size}) and double --accumulation ({config.accumulation})"
    return ", or ".join(
        remedy
        for remedy, open_still in (
            (smaller, config.batch_size > 1),
            (
                "add --gradient-checkpointing",
                not config.gradient_checkpointing and config.method != "prefix",
            ),
            ("train with --method lora", config.method == "full"),
            (f"lower --max-tokens ({config.max_tokens})", True),
        )
        if open_still
    )


def _is_allocation(error: RuntimeError) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or CPU_ALLOCATOR in str(error)
