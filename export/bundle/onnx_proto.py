"""The numbers of onnx.proto that are read without the onnx package."""

# Fields of ModelProto, GraphProto, NodeProto, AttributeProto and TensorProto.
GRAPH = 7
NODE, INITIALIZER = 1, 5
INPUT, OUTPUT, OP_TYPE, ATTRIBUTE = 1, 2, 4, 5
ATTRIBUTE_NAME, ATTRIBUTE_INT, ATTRIBUTE_TYPE = 1, 3, 20
DIMS, DATA_TYPE, TENSOR_NAME = 1, 2, 8
INT = 2
"""The ATTRIBUTE_TYPE of a whole number."""
FLOAT, HALVES = 1, (10, 16)
"""By TensorProto.DataType; the halves are fp16 and bf16."""
