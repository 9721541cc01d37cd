"""8-bit dense layers as TensorRT takes them: zero points of zero, explicit Q/DQ pairs, fp16 around them.

TensorRT decides no precision by itself: it computes a product in 8 bits where both factors come out of
a DequantizeLinear, and every other node in the type that its inputs have (NVIDIA, "Working with
Quantized Types", TensorRT documentation). It takes no unsigned activations, so the forms for a CPU are
nothing to it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from .calibration import Calibration
from .ranges import largest_values
from .record import record
from .sixteen_bit import FP16, halved
from .surgery import dense_layers, load_untied, pruned, weights


@dataclass(frozen=True)
class Grid:
    """The numbers that 8 bits can stand for, symmetric around zero."""

    dtype: np.dtype[np.generic]
    largest: float
    capability: str = ""
    """The least compute capability whose products it is made for; nothing where any will do."""

    def rounded(self, values: NDArray[Any]) -> NDArray[Any]:
        """The nearest numbers of the grid."""
        bounded: NDArray[Any] = np.clip(values, -self.largest, self.largest)
        return (np.rint(bounded) if self.dtype == np.int8 else bounded).astype(self.dtype)


INT8 = Grid(np.dtype(np.int8), 127)
FP8 = Grid(np.dtype(ml_dtypes.float8_e4m3fn), 448, "8.9")


def _write(source: Path, target: Path, calibration: Calibration, *, grid: Grid) -> None:
    """Write the form of the fp32 graph ``source`` to ``target``.

    Activations have one scale for each tensor, from the largest absolute value that the calibration
    texts give it; weights one for each output channel. What isn't a dense layer is as in fp16.
    """
    original = load_untied(source)
    largest = _largest_inputs(original, calibration)
    model = halved(original, FP16)
    _quantise_dense_layers(model.graph, largest, grid)
    written = pruned(model)
    if grid.capability:
        record(written, compute_capability=grid.capability)
    onnx.save(written, target)


write_int8 = partial(_write, grid=INT8)
write_fp8 = partial(_write, grid=FP8)


def _largest_inputs(model: onnx.ModelProto, calibration: Calibration) -> dict[str, float]:
    """The largest absolute value that each dense layer, by its node's name, reads."""
    read = {node.name: node.input[0] for node in dense_layers(model.graph)}
    largest = largest_values(model, set(read.values()), calibration)
    return {layer: largest[name] for layer, name in read.items()}


def _quantise_dense_layers(graph: onnx.GraphProto, largest: Mapping[str, float], grid: Grid) -> None:
    """Let every dense layer read its input and its weight through 8 bits."""
    halves, layers = weights(graph), {node.name for node in dense_layers(graph)}
    rounded: dict[str, str] = {}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.name in layers:
            tokens, weight = node.input
            if tokens not in rounded:
                rounded[tokens] = f"{tokens}_dequantised"
                scale = np.array(largest[node.name] / grid.largest)
                graph.initializer.extend(_scale_and_zero(tokens, scale, grid))
                nodes.extend(_through_8_bits(tokens))
            graph.initializer.extend(_columns(halves[weight], grid))
            nodes.append(_dequantised(weight))
            node.input[:] = [rounded[tokens], f"{weight}_dequantised"]
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)


def _columns(weight: onnx.TensorProto, grid: Grid) -> Iterator[onnx.TensorProto]:
    """A weight [in, out] on the grid, and a scale for each output channel."""
    values = numpy_helper.to_array(weight).astype(np.float32)
    scale = np.abs(values).max(axis=0) / grid.largest
    written, zero = _scale_and_zero(weight.name, scale, grid)
    columns = grid.rounded(values / numpy_helper.to_array(written).astype(np.float32))
    yield numpy_helper.from_array(columns, f"{weight.name}_8bit")
    yield from (written, zero)


def _scale_and_zero(name: str, scale: NDArray[np.floating], grid: Grid) -> Iterator[onnx.TensorProto]:
    # As fp16, the type of what is quantised; where all is zero, any scale but zero does.
    half = np.maximum(scale, np.finfo(np.float16).tiny).astype(np.float16)
    yield numpy_helper.from_array(half, f"{name}_scale")
    yield numpy_helper.from_array(np.zeros(half.shape, grid.dtype), f"{name}_zero")


def _through_8_bits(name: str) -> Iterator[onnx.NodeProto]:
    constants = [f"{name}_scale", f"{name}_zero"]
    yield helper.make_node("QuantizeLinear", [name, *constants], [f"{name}_8bit"], f"{name}_quantise")
    yield _dequantised(name)


def _dequantised(name: str) -> onnx.NodeProto:
    # Several scales are those of axis 1, by default: a weight's output channels.
    inputs = [f"{name}_8bit", f"{name}_scale", f"{name}_zero"]
    return helper.make_node("DequantizeLinear", inputs, [f"{name}_dequantised"], f"{name}_dequantise")
