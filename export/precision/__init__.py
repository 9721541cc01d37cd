"""The numeric forms that a graph can take, by the names that ``strop export --recipes`` knows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from strop.lazy import lazy

from .calibration import Calibration

Writer = Callable[[Path, Path, Calibration], None]
"""Writes the form of an fp32 graph (the first path) to another file (the second)."""


@dataclass(frozen=True)
class Precision:
    """One numeric form."""

    name: str
    summary: str
    """One line for whoever has to choose."""
    write: Writer
    batch_invariant: bool = True
    """Whether a text's answer is the same bit for bit alone and in any batch, on a CPU."""
    provider: str = "CPUExecutionProvider"
    """The ONNX Runtime execution provider it is meant for."""
    sparse24: bool = False
    """Whether TensorRT has products in it that skip the zeros of 2:4 sparse weights."""


def _writer(module: str, function: str = "write") -> Writer:
    return lazy(f"{__name__}.{module}", function)


PRECISIONS: Mapping[str, Precision] = {
    precision.name: precision
    for precision in (
        Precision(
            "int8",
            "8-bit weights and activations; ranges from calibration texts: fastest on a CPU",
            _writer("int8"),
        ),
        Precision(
            "int8-percentile",
            "int8 whose ranges leave out the rarest values; try it where int8 fails the gate",
            _writer("int8", "write_percentile"),
        ),
        Precision(
            "int8-entropy",
            "int8 whose ranges keep the most information; try it likewise",
            _writer("int8", "write_entropy"),
        ),
        Precision(
            "int8-dynamic",
            "8-bit weights, each token scaled by itself: much nearer to fp32, a little slower than int8",
            _writer("int8_dynamic"),
        ),
        Precision(
            "mixed",
            "int8 with the layers left in fp32 that cost most accuracy, found by measuring each",
            _writer("mixed"),
        ),
        Precision(
            "w8",
            "8-bit weights in blocks: the nearest to fp32 in a small file, at its speed",
            _writer("weight_only", "write_w8"),
        ),
        Precision(
            "w4",
            "4-bit weights in blocks: the smallest file, at fp32's speed",
            _writer("weight_only", "write_w4"),
        ),
        Precision(
            "fp16",
            "half precision for a GPU; on a CPU it only halves the file",
            _writer("sixteen_bit", "write_fp16"),
            provider="CUDAExecutionProvider",
            sparse24=True,
        ),
        Precision(
            "bf16",
            "the same in bfloat16, which can't overflow but is coarser: for GPUs from Ampere on",
            _writer("sixteen_bit", "write_bf16"),
            provider="CUDAExecutionProvider",
            sparse24=True,
        ),
        Precision(
            "int8-symmetric",
            "fp16 with dense layers in int8, as TensorRT takes them; for a GPU, slow on a CPU",
            _writer("symmetric", "write_int8"),
            batch_invariant=False,
            provider="TensorrtExecutionProvider",
            sparse24=True,
        ),
        Precision(
            "fp8",
            "fp16 with dense layers in 8-bit floats, for a GPU of compute capability 8.9 or later",
            _writer("symmetric", "write_fp8"),
            batch_invariant=False,
            provider="TensorrtExecutionProvider",
        ),
    )
}
