"""The ways to compute, by their names in ``--provider``: what each asks of a machine and takes of it."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from strop.export import tensorrt
from strop.export.bundle import BATCH_TOKENS, Bundle, Layout, Variant
from strop.export.bundle.probe import gpu_seen, missing, probe
from strop.export.providers import CPU, CUDA, TENSORRT, TORCH

from . import cuda, program
from .engine import Engine
from .memory import Estimate, FreeMemory, free_on_gpu, free_on_host
from .onnx import open_on_cpu
from .options import EngineOptions
from .preparation import TensorRTPreparation, open_meanwhile
from .upgrade import Preparation

log = logging.getLogger(__name__)

Open = Callable[[Bundle, Variant, EngineOptions, int], Sequence[Engine]]
"""Opens an engine for each instance, for batches of so many tokens; they may be the same one."""
Prepare = Callable[[Bundle, Variant, Layout, int, EngineOptions], Preparation]
"""How to have better engines of the layout of those that serve, for batches of so many tokens."""


@dataclass(frozen=True)
class Backend:
    """A way to compute, by its name in ``--provider``."""

    name: str
    made_for: tuple[str, ...]
    """The providers by which a manifest marks the variants that were made for it, the best first."""
    on_gpu: Callable[[], bool]
    """Whether it computes on a GPU."""
    seen: Callable[[], bool]
    """Whether the machine has what it runs on: without, ``auto`` doesn't miss it."""
    missing: Callable[[], str | None]
    """Why it can't be had here, and what to install; None if it can."""
    estimate: Callable[..., Estimate]
    free: FreeMemory
    open: Open
    prepare: Prepare | None = None
    """What makes the engines that it is named after, while those that it opens serve."""
    automatic: bool = True
    """Whether ``--provider auto`` tries it: a build that may take minutes is asked for by name."""

    def batch_tokens(self) -> int:
        """Tokens in a batch at most, unless the user says otherwise."""
        return cuda.BATCH_TOKENS if self.on_gpu() else BATCH_TOKENS

    def instances(self, options: EngineOptions) -> int:
        """Batches that are computed at the same time."""
        return (options.instances or cuda.INSTANCES) if self.on_gpu() else options.instance_count


@cache  # each says once what works
def _cuda_missing() -> str | None:
    reason = missing(CUDA)
    if reason is None:
        log.info("CUDA works", extra={"facts": {"versions": str(probe().versions)}})
    return reason


@cache
def _tensorrt_missing() -> str | None:
    reason = tensorrt.missing()
    if reason is None:
        found = tensorrt.find()
        log.info("TensorRT works", extra={"facts": {"versions": f"{found.library} on {found.card}"}})
    return reason


BACKENDS: dict[str, Backend] = {
    backend.name: backend
    for backend in (
        Backend(
            name="tensorrt",
            made_for=(TENSORRT, CUDA),
            on_gpu=lambda: True,
            seen=gpu_seen,
            missing=_tensorrt_missing,
            estimate=Estimate.on_gpu,
            free=free_on_gpu,
            open=open_meanwhile,
            prepare=TensorRTPreparation,
            automatic=False,
        ),
        Backend(
            name="cuda",
            made_for=(CUDA,),
            on_gpu=lambda: True,
            seen=gpu_seen,
            missing=_cuda_missing,
            estimate=Estimate.on_gpu,
            free=free_on_gpu,
            open=cuda.open_on_cuda,
        ),
        Backend(
            name="torch",
            made_for=(TORCH,),
            on_gpu=gpu_seen,
            seen=lambda: True,
            missing=lambda: missing(TORCH),
            estimate=program.estimate,
            free=program.free,
            open=program.open_program,
            automatic=False,
        ),
        Backend(
            name="cpu",
            made_for=(CPU,),
            on_gpu=lambda: False,
            seen=lambda: True,
            missing=lambda: None,
            estimate=Estimate.on_host,
            free=free_on_host,
            open=open_on_cpu,
        ),
    )
}
"""In the order in which they stand in for each other."""
