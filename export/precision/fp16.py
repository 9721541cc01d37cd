"""Half precision for GPUs: fp16 weights and activations, fp32 where fp16 overflows or loses sums."""

from pathlib import Path
from typing import cast

import onnx
from onnx import TensorProto, helper
from onnxruntime.quantization.onnx_model import ONNXModel
from onnxruntime.transformers.float16 import DEFAULT_OP_BLOCK_LIST, convert_float_to_float16

from .calibration import Calibration

# The mask's constant is far below what fp16 holds; norms and softmax are sums of many small terms.
KEPT_IN_FP32 = ("LayerNormalization", "Softmax", "Where")


def write(source: Path, target: Path, calibration: Calibration) -> None:
    """Write the form of the fp32 graph ``source`` to ``target``; the calibration texts aren't read.

    Inputs and outputs keep their types.
    """
    onnx.save(halved(onnx.load(source)), target)


def halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """The fp16 form of an fp32 graph; the nodes keep their names."""
    model = convert_float_to_float16(
        model,
        keep_io_types=True,
        op_block_list=[*DEFAULT_OP_BLOCK_LIST, *KEPT_IN_FP32],
        node_block_list=_mask_additions(model.graph),
    )
    _join_in_fp32(model.graph)
    ordered = ONNXModel(model)  # the converter appends its casts at the end
    ordered.topological_sort()
    return cast(onnx.ModelProto, ordered.model)


def _mask_additions(graph: onnx.GraphProto) -> list[str]:
    """Nodes that make softmax's input, where the mask comes in."""
    scores = {node.input[0] for node in graph.node if node.op_type == "Softmax"}
    return [node.name for node in graph.node if node.output[0] in scores]


def _join_in_fp32(graph: onnx.GraphProto) -> None:
    """Let nodes in fp32 read each other's results, which the converter casts to fp16 and back.

    The mask would become infinite. What several nodes in fp32 read is cast for each under one name,
    of which one stays.
    """
    half, single = (
        [
            node
            for node in graph.node
            if node.op_type == "Cast" and helper.get_node_attr_value(node, "to") == to
        ]
        for to in (TensorProto.FLOAT16, TensorProto.FLOAT)
    )
    halved = {node.output[0]: node.input[0] for node in half}
    joined = {node.output[0]: halved[node.input[0]] for node in single if node.input[0] in halved}
    nodes = {node.output[0]: node for node in graph.node if node.output[0] not in joined}
    for node in nodes.values():
        node.input[:] = [joined.get(name, name) for name in node.input]
    del graph.node[:]
    graph.node.extend(nodes.values())
