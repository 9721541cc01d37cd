"""The weights of an ONNX file, by their shapes alone: read in milliseconds, without the onnx package."""

import math
import mmap
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

# Bits of an element by TensorProto.DataType; what isn't here has 8.
BITS = {1: 32, 4: 16, 5: 16, 6: 32, 7: 64, 10: 16, 11: 64, 12: 32, 13: 64, 16: 16, 21: 4, 22: 4}
# Field numbers of ModelProto, GraphProto and TensorProto in onnx.proto.
GRAPH, INITIALIZER, DIMS, DATA_TYPE = 7, 5, 1, 2
# Protobuf's wire types: https://protobuf.dev/programming-guides/encoding
VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
MANY_TIMES = 8
"""How much longer a table of tokens or positions is than its vectors, and no dense layer is than wide."""


@dataclass(frozen=True)
class Weights:
    """What a graph holds, and how wide its layers seem to be."""

    bytes: int
    hidden: int
    """Numbers in a token's state: the dimension that most matrices have."""
    widest: int
    """Numbers in the widest layer's output for a token: the feed-forward part's."""
    largest: int
    """The longest dimension of all: the vocabulary's."""

    @classmethod
    def read(cls, graph: Path) -> Self:
        """Read them from a file; ``ValueError`` when it isn't an ONNX graph."""
        with graph.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            tensors = list(_initializers(content))
        matrices = [dims for dims, _ in tensors if len(dims) > 1 and min(dims) > 1]
        if not matrices:
            return cls(sum(size for _, size in tensors), 0, 0, 0)
        hidden = Counter(size for dims in matrices for size in set(dims)).most_common(1)[0][0]
        layers = [max(dims) for dims in matrices if max(dims) <= MANY_TIMES * hidden]
        return cls(
            sum(size for _, size in tensors), hidden, max(layers, default=hidden), max(map(max, matrices))
        )


def _initializers(content: mmap.mmap) -> Iterator[tuple[list[int], int]]:
    """Dimensions and bytes of each."""
    for field, begin, end in _fields(content, 0, len(content)):
        if field == GRAPH:
            for inner, first, last in _fields(content, begin, end):
                if inner == INITIALIZER:
                    yield _tensor(content, first, last)


def _tensor(content: mmap.mmap, begin: int, end: int) -> tuple[list[int], int]:
    dims: list[int] = []
    bits = 8
    for field, first, last in _fields(content, begin, end):
        if field == DIMS:
            while first < last:
                size, first = _varint(content, first)
                dims.append(size)
        elif field == DATA_TYPE:
            bits = BITS.get(_varint(content, first)[0], 8)
    return dims, math.prod(dims) * bits // 8


def _fields(content: mmap.mmap, place: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Number of each field of a message, and where its value begins and ends."""
    while place < end:
        key, place = _varint(content, place)
        kind, begin = key & 7, place
        if kind == VARINT:
            _, place = _varint(content, place)
        elif kind == LENGTH:
            size, begin = _varint(content, place)
            place = begin + size
        elif kind in (FIXED32, FIXED64):
            place += 4 if kind == FIXED32 else 8
        if kind not in (VARINT, LENGTH, FIXED32, FIXED64) or place > end:
            raise ValueError(f"byte {begin} is no part of an ONNX graph")
        yield key >> 3, begin, place


def _varint(content: mmap.mmap, place: int) -> tuple[int, int]:
    """A number, and where the next byte is."""
    value = shift = 0
    while True:
        if place >= len(content):
            raise ValueError("the ONNX graph is cut off")
        byte = content[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
