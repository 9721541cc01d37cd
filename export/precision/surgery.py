"""Cuts in a graph: its dense layers, which most of its time goes to, and what is left without some."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.utils import Extractor


def load_untied(path: Path) -> onnx.ModelProto:
    """A graph in which a dense layer that reads an embedding table turned round has a weight of its own.

    A language model's last layer is its embeddings. Table and weight get scales of their own, and a form
    of either is another.
    """
    model = onnx.load(path)
    constant = weights(model.graph)
    turned = [
        node for node in model.graph.node if node.op_type == "Transpose" and node.input[0] in constant
    ]
    for node in turned:
        matrix = np.ascontiguousarray(numpy_helper.to_array(constant[node.input[0]]).T)
        model.graph.initializer.append(numpy_helper.from_array(matrix, node.output[0]))
        model.graph.node.remove(node)
    return model


def weights(graph: onnx.GraphProto) -> dict[str, onnx.TensorProto]:
    """Constant tensors by name."""
    return {tensor.name: tensor for tensor in graph.initializer}


def dense_layers(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """The matrix products whose second factor is a weight.

    Attention's own products are none: quantising them costs accuracy and, at their size, wins no
    time. Neither is the classification head, a Gemm: it is tiny and decides the label.
    """
    constant = weights(graph)
    return [node for node in graph.node if node.op_type == "MatMul" and node.input[1] in constant]


def siblings(graph: onnx.GraphProto) -> Mapping[str, Sequence[str]]:
    """Node names of the dense layers that read the same tensor, under the name of the first one's bias.

    Query, key and value are siblings: quantising one means quantising the input of all.
    """
    biases = {
        node.input[0]: node.input[1].removesuffix(".bias") for node in graph.node if node.op_type == "Add"
    }
    families: dict[str, list[onnx.NodeProto]] = {}
    for node in dense_layers(graph):
        families.setdefault(node.input[0], []).append(node)
    return {
        biases.get(family[0].output[0], family[0].name): [node.name for node in family]
        for family in families.values()
    }


def restored(model: onnx.ModelProto, original: onnx.ModelProto, names: Collection[str]) -> onnx.ModelProto:
    """A copy of ``model`` in which the named nodes read what they read in ``original``."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    inputs = {node.name: node.input for node in original.graph.node}
    for node in copy.graph.node:
        if node.name in names:
            node.input[:] = inputs[node.name]
    there = weights(copy.graph)
    tensors = weights(original.graph).items()
    copy.graph.initializer.extend(tensor for name, tensor in tensors if name not in there)
    return pruned(copy)


def pruned(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model without nodes and weights that no output needs."""
    inputs, outputs = ([value.name for value in ends] for ends in (model.graph.input, model.graph.output))
    return Extractor(model).extract_model(inputs, outputs)
