"""Dynamic int8: every token's activations are scaled by its own largest value, when it is computed.

ONNX Runtime's own dynamic form has one scale for a whole batch, so an answer would depend on who
shares the batch. A scale for each token needs no calibration and lets no token spoil another's.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from ..bundle.cpu import weight_limit
from .calibration import Calibration
from .embeddings import quantise_embeddings
from .record import record
from .surgery import dense_layers, load_untied, pruned, weights

# The activation 0 as an unsigned byte.
ZERO = 128
# Where the product lives that scales its columns while they are in the cache.
ORT_DOMAIN = "com.microsoft"


def write(source: Path, target: Path, calibration: Calibration) -> None:
    """Write the form of the fp32 graph ``source`` to ``target``; the calibration texts aren't read."""
    model = load_untied(source)
    model.opset_import.append(helper.make_opsetid(ORT_DOMAIN, 1))
    limit = weight_limit()
    _quantise_dense_layers(model.graph, limit)
    model = pruned(model)
    quantise_embeddings(model.graph)
    record(model, weight_limit=str(limit))
    onnx.save(model, target)


def _quantise_dense_layers(graph: onnx.GraphProto, limit: int) -> None:
    """Replace x @ w by (u8 rows of x) @ (s8 columns of w) × scale of each row × scale of each column."""
    floats, layers = weights(graph), {node.name for node in dense_layers(graph)}
    graph.initializer.extend(_constants())
    quantised: set[str] = set()
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.name not in layers:
            nodes.append(node)
            continue
        tokens, weight = node.input
        if tokens not in quantised:
            quantised.add(tokens)
            nodes.extend(_quantised_rows(tokens))
        graph.initializer.extend(_int8_columns(floats[weight], limit))
        nodes.extend(_product(node))
    del graph.node[:]
    graph.node.extend(nodes)


def _constants() -> Iterator[onnx.TensorProto]:
    yield numpy_helper.from_array(np.array([-1], dtype=np.int64), "last_axis")
    yield numpy_helper.from_array(np.array(127, dtype=np.float32), "activation_limit")
    yield numpy_helper.from_array(np.array(1e-12, dtype=np.float32), "smallest_activation")
    yield numpy_helper.from_array(np.array(1, dtype=np.float32), "one")
    yield numpy_helper.from_array(np.array(ZERO, dtype=np.uint8), "activation_zero")


def _quantised_rows(x: str) -> Iterator[onnx.NodeProto]:
    """``x``, [b, t, hidden], as bytes ``x_u8`` with the scales ``x_scale``, [b, t, 1].

    QuantizeLinear takes one scale for each place on one axis: the tokens, once flattened.
    """
    make = helper.make_node
    yield make("Abs", [x], [f"{x}_abs"])
    yield make("ReduceMax", [f"{x}_abs", "last_axis"], [f"{x}_largest"], keepdims=1)
    yield make("Max", [f"{x}_largest", "smallest_activation"], [f"{x}_limit"])
    yield make("Div", [f"{x}_limit", "activation_limit"], [f"{x}_scale"])
    yield make("Reshape", [f"{x}_scale", "last_axis"], [f"{x}_scales"])
    yield make("Shape", [f"{x}_scales"], [f"{x}_tokens"])
    yield make("Expand", ["activation_zero", f"{x}_tokens"], [f"{x}_zeros"])
    yield make("Shape", [x], [f"{x}_shape"])
    yield make("Flatten", [x], [f"{x}_rows"], axis=2)
    yield make("QuantizeLinear", [f"{x}_rows", f"{x}_scales", f"{x}_zeros"], [f"{x}_u8_rows"], axis=0)
    yield make("Reshape", [f"{x}_u8_rows", f"{x}_shape"], [f"{x}_u8"])


def _int8_columns(weight: onnx.TensorProto, limit: int) -> Iterator[onnx.TensorProto]:
    columns = numpy_helper.to_array(weight)
    scale = np.maximum(np.abs(columns).max(axis=0) / limit, np.finfo(np.float32).tiny)
    yield numpy_helper.from_array(np.round(columns / scale).astype(np.int8), f"{weight.name}_int8")
    yield numpy_helper.from_array(scale.astype(np.float32), f"{weight.name}_scale")


def _product(matmul: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    (x, weight), (output,) = matmul.input, matmul.output
    factors = [f"{x}_u8", f"{weight}_int8", "one", f"{weight}_scale", "activation_zero"]
    yield helper.make_node("MatMulIntegerToFloat", factors, [f"{output}_columns"], domain=ORT_DOMAIN)
    yield helper.make_node("Mul", [f"{output}_columns", f"{x}_scale"], [output])
