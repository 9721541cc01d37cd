"""torch's programs as a way to compute; torch itself is loaded only where one is opened."""

from collections.abc import Sequence
from pathlib import Path

from strop.export.bundle import BATCH_TOKENS, Bundle, Variant, needing_torch
from strop.export.bundle.probe import gpu_seen, missing
from strop.export.providers import TORCH

from . import cuda
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


def usual_tokens() -> int:
    """Tokens in a batch at most: it computes on the GPU where there is one."""
    return cuda.BATCH_TOKENS if gpu_seen() else BATCH_TOKENS


def instances(options: EngineOptions) -> int:
    """Batches that are computed at the same time."""
    return (options.instances or cuda.INSTANCES) if gpu_seen() else options.instance_count


def no_torch() -> str | None:
    """Why programs can't run here."""
    return missing(TORCH)


def estimate(program: Path, tokens: int, longest: int, instances: int) -> Estimate:
    """What a program takes, wherever it computes."""
    return Estimate.of_program(program)


def free() -> float | None:
    """Bytes of the memory in which it computes."""
    return free_on_gpu() if gpu_seen() else free_on_host()
