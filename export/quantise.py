"""Static int8: calibrated QDQ for the encoder's linear layers, one scale a row for embedding tables."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

Feeds = Mapping[str, NDArray[np.int64]]


def quantise_int8(source: Path, target: Path, calibration: Iterable[Feeds]) -> None:
    """Write the int8 form of the fp32 graph ``source`` to ``target``.

    Activations are unsigned and weights signed 8 bit with one scale an output channel and reduced
    range, the form that has a kernel on AVX2 and can't saturate there. Ranges are fixed by
    ``calibration`` (packed feeds), so an answer does not depend on its batch; the matrix products'
    outputs stay fp32. The classification head stays fp32: it is tiny and decides the label.
    """
    prepared = target.with_suffix(".prepared.onnx")
    quant_pre_process(str(source), str(prepared), skip_optimization=True, skip_symbolic_shape=True)
    quantize_static(
        str(prepared),
        str(target),
        _Calibration(calibration),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=["MatMul"],
        nodes_to_exclude=_products_of_activations(prepared),
        per_channel=True,
        reduce_range=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        extra_options={"OpTypesToExcludeOutputQuantization": ["MatMul"]},
    )
    prepared.unlink()
    graph = onnx.load(target)
    _quantise_embeddings(graph.graph)
    onnx.save(graph, target)


def _products_of_activations(source: Path) -> list[str]:
    """Attention's own products: quantising them costs accuracy and, at their size, wins no time."""
    graph = onnx.load(source).graph
    weights = {tensor.name for tensor in graph.initializer}
    return [node.name for node in graph.node if node.op_type == "MatMul" and node.input[1] not in weights]


class _Calibration(CalibrationDataReader):  # type: ignore[misc]  # untyped base
    def __init__(self, feeds: Iterable[Feeds]) -> None:
        self._feeds = iter(feeds)

    def get_next(self) -> dict[str, Any] | None:
        feeds = next(self._feeds, None)
        return None if feeds is None else dict(feeds)


def _quantise_embeddings(graph: onnx.GraphProto) -> None:
    """Replace each fp32 table read by a Gather with int8 rows and one fp32 scale a row.

    ONNX Runtime's own quantiser gives a whole table one scale, which cost accuracy, and a
    DequantizeLinear before the Gather would be folded back into an fp32 table at load.
    """
    tables = {
        table.name: table
        for table in graph.initializer
        if table.data_type == TensorProto.FLOAT and len(table.dims) == 2
    }
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.op_type == "Gather" and node.input[0] in tables:
            table = tables[node.input[0]]
            graph.initializer.extend(_int8_rows(table))
            graph.initializer.remove(table)
            nodes.extend(_dequantised_gather(node))
        else:
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)


def _int8_rows(table: onnx.TensorProto) -> list[onnx.TensorProto]:
    rows = numpy_helper.to_array(table)
    scale = np.maximum(np.abs(rows).max(axis=1, keepdims=True) / 127, np.finfo(np.float32).tiny)
    return [
        numpy_helper.from_array(np.round(rows / scale).astype(np.int8), f"{table.name}_int8"),
        numpy_helper.from_array(scale.astype(np.float32), f"{table.name}_scale"),
    ]


def _dequantised_gather(gather: onnx.NodeProto) -> list[onnx.NodeProto]:
    (table, ids), (output,) = gather.input, gather.output
    return [
        helper.make_node("Gather", [f"{table}_int8", ids], [f"{output}_int8"], axis=0),
        helper.make_node("Gather", [f"{table}_scale", ids], [f"{output}_scale"], axis=0),
        helper.make_node("Cast", [f"{output}_int8"], [f"{output}_cast"], to=TensorProto.FLOAT),
        helper.make_node("Mul", [f"{output}_cast", f"{output}_scale"], [output]),
    ]
