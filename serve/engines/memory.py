"""What a model will take of a device's memory, told before it is loaded, and whether there is so much."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from strop.errors import InputError
from strop.export.bundle.weights import Weights
from strop.host import free_memory
from strop.nvml import NvmlError, find_gpus

from .options import MEGABYTE

# Numbers that live at the same time for a token in the layer that is computed, and copies of the
# attention scores: what ONNX Runtime's arena held for MiniLM-L6, rounded up.
STATES, WIDE_STATES, SCORES = 12, 3, 3
FLOAT = 4
NARROWEST_HEAD = 32
"""Numbers of a head; wider ones have fewer scores, so that the estimate is above what they take."""
# ONNX Runtime on a CPU, as a share of the weights: at rest, and while it reads them.
RESTING, READING = 1.15, 1.5
RUNTIME = 10e6
"""Bytes of ONNX Runtime's own that the first session on a CPU touches."""
TORCH_ITSELF = 280e6
"""Bytes that torch takes once a program is loaded, besides the program: measured on a CPU."""
CONTEXT = 500e6
"""Bytes that CUDA, cuBLAS and cuDNN take of a GPU for a process, whatever it computes."""


@dataclass(frozen=True)
class Estimate:
    """Bytes."""

    weights: float
    batches: float
    """Of the largest batches that are computed at the same time."""
    overhead: float

    @classmethod
    def on_host(cls, graph: Path, tokens: int, longest: int, instances: int) -> Self:
        """On a CPU, where instances share the weights."""
        weights = Weights.read(graph)
        batches = instances * _batch(weights, tokens, longest)
        reading = (READING - RESTING) * weights.bytes_in_fp32
        return cls(RESTING * weights.bytes_in_fp32, max(batches, reading), RUNTIME)

    @classmethod
    def on_gpu(cls, graph: Path, tokens: int, longest: int, instances: int) -> Self:
        """On a GPU, where each instance has its own."""
        weights = Weights.read(graph)
        return cls(instances * weights.bytes, instances * _batch(weights, tokens, longest), CONTEXT)

    @classmethod
    def of_engine(cls, size: int, graph: Path, tokens: int, longest: int, instances: int) -> Self:
        """TensorRT's: instances share the weights of the engine's ``size`` bytes.

        The context of CUDA may be there already; what TensorRT keeps for each shape is not counted.
        """
        batches = instances * _batch(Weights.read(graph), tokens, longest)
        return cls(size, batches, CONTEXT)

    @classmethod
    def of_program(cls, program: Path) -> Self:
        """Of torch's own: its instances share the weights, and its allocator grows as it must."""
        return cls(program.stat().st_size, 0.0, TORCH_ITSELF)

    @property
    def total(self) -> float:
        """All of it."""
        return self.weights + self.batches + self.overhead

    def __add__(self, other: "Estimate") -> "Estimate":
        """Of both at the same time."""
        return Estimate(
            self.weights + other.weights, self.batches + other.batches, self.overhead + other.overhead
        )

    def require(self, limit: float, free: float | None, what: str = "the model") -> None:
        """``InputError`` with both figures when it is above ``limit`` or what is ``free``.

        A limit of 0 and a ``free`` of None are no bounds; ``what`` is it that needs so much.
        """
        bounds = ((limit, "--memory-limit allows"), (free or 0.0, "are free"))
        for bound, which in bounds:
            if bound and self.total > bound:
                raise InputError(
                    f"{what} needs about {self} and {bound / MEGABYTE:,.0f} MB {which}; lower"
                    " --batch-tokens or --instances, serve a smaller variant, or give it more"
                )

    def __str__(self) -> str:
        parts = (
            f"{part / MEGABYTE:,.0f} MB {name}"
            for part, name in (
                (self.weights, "of weights"),
                (self.batches, "for batches"),
                (self.overhead, "of overhead"),
            )
        )
        return f"{self.total / MEGABYTE:,.0f} MB ({', '.join(parts)})"


def _batch(weights: Weights, tokens: int, longest: int) -> float:
    """Bytes that are live in a batch of ``tokens`` tokens at most, of texts of ``longest`` at most.

    The tokens' states and the widest layer's beside them, then the scores: of each token for each of
    its row, in every head of one layer.
    """
    tokens = max(tokens, longest)
    states = STATES * weights.hidden + WIDE_STATES * weights.widest
    scores = SCORES * -(-weights.hidden // NARROWEST_HEAD) * longest
    return float(tokens * (states + scores) * FLOAT)


FreeMemory = Callable[[], float | None]


def free_on_host() -> float | None:
    """Bytes of this machine's memory."""
    return free_memory()


def free_on_gpu() -> float | None:
    """Bytes of the first GPU's memory by NVML or else by CUDA, None where neither can tell."""
    try:
        used, total = find_gpus()[0].memory()
    except (NvmlError, IndexError):
        return _free_by_cuda()
    return float(total - used)


def _free_by_cuda() -> float | None:
    # The package comes with TensorRT's, and NVML's need not.
    try:
        from cuda.bindings import runtime
    except ImportError:
        return None
    failed, free, _ = runtime.cudaMemGetInfo()
    return None if failed else float(free)
