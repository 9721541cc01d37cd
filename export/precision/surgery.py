"""Cuts in a graph: its dense layers, which most of its time goes to, and what is left without some."""

import onnx


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
