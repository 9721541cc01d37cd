"""2:4 sparsity of a graph, as it is stored: what is shipped is looked at, not how it was made."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from strop.errors import StropError

from .record import record
from .surgery import weights

GROUP, KEPT = 4, 2
"""Weights that lead to an output, side by side, and how many of them may be other than zero."""


def record_sparsity(graph: Path, layers: int) -> None:
    """Write into a graph's metadata, as ``sparse24``, how many of its dense layers are 2:4 sparse.

    Raises ``StropError`` when there are fewer than ``layers``.
    """
    model = onnx.load(graph)
    found = sum(map(is_sparse, _stored_weights(model.graph)))
    if found < layers:
        raise StropError(
            f"{graph.parent.name}: {found} of its dense layers have two zeros in every four weights, and"
            f" {layers} should; report it, and leave sparse24 out of --recipes meanwhile"
        )
    record(model, sparse24=str(found))
    onnx.save(model, graph)


def is_sparse(weight: NDArray[Any]) -> bool:
    """Whether of every four inputs of a weight [inputs, outputs] at most two lead to an output.

    It is what TensorRT looks for (NVIDIA, "Sparsity", TensorRT documentation).
    """
    inputs, outputs = weight.shape
    if inputs % GROUP:
        return False
    groups = weight.reshape(inputs // GROUP, GROUP, outputs)
    return bool((np.count_nonzero(groups, axis=1) <= KEPT).all())


def _stored_weights(graph: onnx.GraphProto) -> Iterator[NDArray[Any]]:
    """The weights [inputs, outputs] of dense layers in the numbers that are stored, where 0 is zero."""
    constant = weights(graph)
    dequantised = {
        node.output[0]: node.input[0] for node in graph.node if node.op_type == "DequantizeLinear"
    }
    for node in graph.node:
        if node.op_type == "MatMul":
            stored = dequantised.get(node.input[1], node.input[1])
            if stored in constant:
                yield numpy_helper.to_array(constant[stored])
