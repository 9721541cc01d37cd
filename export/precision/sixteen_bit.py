"""16-bit floats for GPUs: fp16 or bf16 weights and activations, fp32 where those overflow or lose sums."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, shape_inference

from ..bundle.halves import ELEMENTWISE, MOVING, PRODUCTS
from .calibration import Calibration
from .ranges import largest_values
from .record import record
from .surgery import weights


@dataclass(frozen=True)
class Half:
    """A float of 16 bits."""

    name: str
    """Put behind the names of tensors that there are in both precisions."""
    type: int
    """As ONNX has it."""
    dtype: np.dtype[np.generic]
    largest: float

    def copy(self, weight: onnx.TensorProto, name: str) -> onnx.TensorProto:
        """A weight rounded to the nearest numbers, under another name."""
        return numpy_helper.from_array(numpy_helper.to_array(weight).astype(self.dtype), name)


FP16 = Half("fp16", TensorProto.FLOAT16, np.dtype(np.float16), 65504)
BF16 = Half("bf16", TensorProto.BFLOAT16, np.dtype(ml_dtypes.bfloat16), float.fromhex("0x1.fep127"))


AMPERE = "8.0"
"""The least compute capability that multiplies bf16."""
HEADROOM = 4
"""How much larger than on the calibration texts an activation may become."""


def write_fp16(source: Path, target: Path, calibration: Calibration) -> None:
    """Write the fp16 form of the fp32 graph ``source`` to ``target``; inputs and outputs keep their types.

    What may overflow, by the calibration texts, is computed in fp32.
    """
    model = onnx.load(source)
    watched = {
        name
        for node in model.graph.node
        if node.op_type in (*PRODUCTS, *ELEMENTWISE)
        for name in node.output
    }
    largest = largest_values(model, watched & _floats(model), calibration)
    overflowing = {name for name, value in largest.items() if value * HEADROOM > FP16.largest}
    onnx.save(halved(model, FP16, overflowing), target)


def write_bf16(source: Path, target: Path, calibration: Calibration) -> None:
    """The same in bf16, which has the range of fp32: the calibration texts aren't read."""
    model = halved(onnx.load(source), BF16)
    record(model, compute_capability=AMPERE)
    onnx.save(model, target)


def halved(model: onnx.ModelProto, half: Half, overflowing: Collection[str] = ()) -> onnx.ModelProto:
    """The 16-bit form of an fp32 graph, which it changes; the nodes keep their names.

    Matrix products read and give 16 bits, and what is computed of that number by number stays in them.
    All else is in fp32: the sums of softmax and norms; tensors that are ``overflowing``, constants beyond
    16 bits such as a mask's, and what reads either; and a head that is a Gemm, whose answers would have
    few digits.
    """
    graph = model.graph
    floats, constants = _floats(model), weights(graph)
    results = {value.name for value in graph.output}
    beyond = {name for name in floats & constants.keys() if _largest(constants[name]) > half.largest}
    beyond.update(overflowing)
    halves: set[str] = set()
    copies: dict[str, str] = {}
    nodes: list[onnx.NodeProto] = []

    def read(name: str, *, narrow: bool) -> str:
        """The tensor in 16 bits or in fp32, cast where it is there in the other alone."""
        if name not in floats or (name in halves) == narrow:
            return name
        if name not in copies:
            copies[name] = f"{name}_{half.name if narrow else 'fp32'}"
            if name in constants:
                graph.initializer.append(half.copy(constants[name], copies[name]))
            else:
                nodes.append(_cast(name, copies[name], half.type if narrow else TensorProto.FLOAT))
        return copies[name]

    for node in graph.node:
        stays = not beyond.isdisjoint([*node.input, *node.output])
        narrow = not stays and _computes_in_16_bits(node, halves, floats & constants.keys())
        node.input[:] = [read(name, narrow=narrow) for name in node.input]
        nodes.append(node)
        if stays and node.op_type in HANDED_ON:
            beyond.update(node.output)
        if narrow:
            for place, name in enumerate(node.output):
                if name in results:
                    node.output[place] = f"{name}_{half.name}"
                    nodes.append(_cast(node.output[place], name, TensorProto.FLOAT))
                else:
                    halves.add(name)
    _replace(graph, nodes)
    return model


HANDED_ON = {*MOVING, *ELEMENTWISE, "Where"}
"""Operators whose results are as large as what they read; a softmax's aren't."""


def _computes_in_16_bits(node: onnx.NodeProto, halves: Collection[str], constants: Collection[str]) -> bool:
    if node.op_type in MOVING:  # an embedding table, too, as it is or turned round
        return any(name in halves or name in constants for name in node.input)
    follows = node.op_type in ELEMENTWISE and any(name in halves for name in node.input)
    return follows or node.op_type in PRODUCTS


def _floats(model: onnx.ModelProto) -> set[str]:
    """The names of all tensors in fp32."""
    graph = shape_inference.infer_shapes(model).graph
    values = [*graph.input, *graph.output, *graph.value_info]
    found = {one.name for one in values if one.type.tensor_type.elem_type == TensorProto.FLOAT}
    return found | {one.name for one in graph.initializer if one.data_type == TensorProto.FLOAT}


def _largest(constant: onnx.TensorProto) -> float:
    values = numpy_helper.to_array(constant)
    return float(np.abs(values).max(initial=0))


def _cast(source: str, target: str, to: int) -> onnx.NodeProto:
    return helper.make_node("Cast", [source], [target], f"{target}_cast", to=to)


def _replace(graph: onnx.GraphProto, nodes: list[onnx.NodeProto]) -> None:
    """Let these be all the nodes, and keep the constants that one of them reads."""
    read = {name for node in nodes for name in node.input} | {value.name for value in graph.output}
    kept = [one for one in graph.initializer if one.name in read]
    for field, values in ((graph.node, nodes), (graph.initializer, kept), (graph.value_info, [])):
        del field[:]
        field.extend(values)
