"""An ONNX file looked through before it is loaded: nothing in it may lie in another file.

A bundle's checksums cover the files that its manifest lists, and a graph could name any other, from
which ONNX Runtime would then take weights. Only the lengths of a protobuf message are followed here
(https://protobuf.dev/programming-guides/encoding/), so that weights are passed over unread.
"""

import mmap
from pathlib import Path

from strop.errors import InputError

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
"""Fields of a TensorProto; where either stands, some or all of it is elsewhere."""
VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
MOST_FIELDS = 10**7
"""A graph of a billion weights has some ten thousand, each tensor's numbers being one."""
LONGEST_VARINT = 10


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
    fields = 0
    while waiting:
        message, place, end = waiting.pop()
        inner = WITHIN[message]
        while place < end:
            fields += 1
            if fields > MOST_FIELDS:
                raise ValueError(f"it has more than {MOST_FIELDS} fields")
            key, place = _varint(content, place, end)
            number = key >> 3
            if message == "TensorProto" and number in (EXTERNAL_DATA, DATA_LOCATION):
                raise ValueError("a tensor's data is in another file")
            place, start = _past(content, key & 7, place, end)
            if number in inner:
                waiting.append((inner[number], start, place))


def _past(content: mmap.mmap, kind: int, place: int, end: int) -> tuple[int, int]:
    """Where a field's value ends, and where that of a message begins."""
    start = place
    if kind == VARINT:
        place = _varint(content, place, end)[1]
    elif kind == LENGTH:
        length, start = _varint(content, place, end)
        place = start + length
    elif kind in (FIXED64, FIXED32):
        place += 8 if kind == FIXED64 else 4
    else:
        raise ValueError(f"it has a field of wire type {kind}")
    if place > end:
        raise ValueError("it is cut off")
    return place, start


def _varint(content: mmap.mmap, place: int, end: int) -> tuple[int, int]:
    """A number in base 128, the lowest digits first, and where it ends."""
    value = 0
    for digit in range(LONGEST_VARINT):
        if place >= end:
            raise ValueError("it is cut off")
        byte = content[place]
        place += 1
        value |= (byte & 127) << 7 * digit
        if byte < 128:
            return value, place
    raise ValueError("it has a number of more than 64 bits")
