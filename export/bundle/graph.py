"""An ONNX file looked through before it is loaded: nothing in it may lie in another file.

A bundle's checksums cover the files that its manifest lists, and a graph could name any other, from
which ONNX Runtime would then take weights.
"""

import mmap
from pathlib import Path

from strop.errors import InputError

from .protobuf import Field, fields, varint

# By the field numbers of onnx.proto: which message lies in which, as far as one leads to a tensor.
WITHIN = {
    "ModelProto": {7: "GraphProto", 20: "TrainingInfoProto", 25: "FunctionProto"},
    "GraphProto": {1: "NodeProto", 5: "TensorProto", 15: "SparseTensorProto"},
    "NodeProto": {5: "AttributeProto"},
    "AttributeProto": {
        5: "TensorProto",
        6: "GraphProto",
        10: "TensorProto",
        11: "GraphProto",
        22: "SparseTensorProto",
        23: "SparseTensorProto",
    },
    "SparseTensorProto": {1: "TensorProto", 2: "TensorProto"},
    "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
    "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto"},
    "TensorProto": {},
}
EXTERNAL_DATA, DATA_LOCATION = 13, 14
"""Fields of a TensorProto: where its data is in another file, and whether it is."""
HERE = 0
"""The data location of a tensor that holds its own."""
MOST_FIELDS = 10**7
"""A graph of a billion weights has some ten thousand, each tensor's numbers being one."""


def require_whole(model: Path) -> None:
    """Raise ``InputError`` unless the file is an ONNX graph, as far as can be seen, with all its data."""
    try:
        with model.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            _walk(content)
    except ValueError as error:
        raise InputError(f"{model} is not a graph that is served: {error}; export the run again") from error


def _walk(content: mmap.mmap) -> None:
    """Look at every field on the way to a tensor; ``ValueError`` says what can't be."""
    waiting = [("ModelProto", 0, len(content))]
    seen = 0
    while waiting:
        message, begin, end = waiting.pop()
        inner = WITHIN[message]
        for field in fields(content, begin, end):
            seen += 1
            if seen > MOST_FIELDS:
                raise ValueError(f"it has more than {MOST_FIELDS} fields")
            if message == "TensorProto" and _is_elsewhere(content, field):
                raise ValueError("a tensor's data is in another file")
            if field.number in inner:
                waiting.append((inner[field.number], field.begin, field.end))


def _is_elsewhere(content: mmap.mmap, field: Field) -> bool:
    if field.number == DATA_LOCATION:
        return varint(content, field.begin, field.end)[0] != HERE
    return field.number == EXTERNAL_DATA
