"""torch's programs as a way to compute; torch itself is loaded only where one is opened."""

from collections.abc import Sequence
from pathlib import Path

from strop.export.bundle import Bundle, Variant, needing_torch
from strop.export.bundle.probe import gpu_seen

from .engine import Engine
from .memory import Estimate, free_on_gpu, free_on_host
from .options import EngineOptions


def open_program(
    bundle: Bundle, variant: Variant, options: EngineOptions, batch_tokens: int
) -> Sequence[Engine]:
    """An engine for each instance; raises as ``open_torch`` does, and where torch isn't installed."""
    with needing_torch(bundle.model_file(variant)):
        from .torch import open_torch
    return open_torch(bundle, variant, options)


def estimate(program: Path, tokens: int, longest: int, instances: int) -> Estimate:
    """What a program takes, wherever it computes."""
    return Estimate.of_program(program)


def free() -> float | None:
    """Bytes of the memory in which it computes."""
    return free_on_gpu() if gpu_seen() else free_on_host()
