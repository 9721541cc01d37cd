"""The weights of an ONNX file, by their shapes alone: read in milliseconds, without the onnx package."""

import math
import mmap
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from strop.errors import InputError

from .onnx_proto import DATA_TYPE, DIMS, GRAPH, HALVES, INITIALIZER
from .protobuf import fields, varint

# Bits of an element by TensorProto.DataType; what isn't here has 8.
BITS = {1: 32, 4: 16, 5: 16, 6: 32, 7: 64, 10: 16, 11: 64, 12: 32, 13: 64, 16: 16, 21: 4, 22: 4}
MANY_TIMES = 8
"""How much longer a table of tokens or positions is than its vectors, and no dense layer is than wide."""


@dataclass(frozen=True)
class Weights:
    """What a graph holds, and how wide its layers seem to be."""

    bytes: int
    bytes_in_fp32: int
    """The same where floats of 16 bits are computed in 32, as on a CPU."""
    hidden: int
    """Numbers in a token's state: the dimension that most matrices have."""
    widest: int
    """Numbers in the widest layer's output for a token: the feed-forward part's."""
    largest: int
    """The longest dimension of all: the vocabulary's."""

    @classmethod
    def read(cls, graph: Path) -> Self:
        """Read them from a file; ``InputError`` when it isn't an ONNX graph."""
        try:
            with graph.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                tensors = list(_initializers(content))
        except ValueError as error:
            raise InputError(
                f"{graph} is not a graph that is served: {error}; export the run again"
            ) from error
        sizes = [math.prod(dims) * BITS.get(kind, 8) // 8 for dims, kind in tensors]
        more = sum(size for size, (_, kind) in zip(sizes, tensors, strict=True) if kind in HALVES)
        total = sum(sizes), sum(sizes) + more
        matrices = [dims for dims, _ in tensors if len(dims) > 1 and min(dims) > 1]
        if not matrices:
            return cls(*total, 0, 0, 0)
        hidden = Counter(size for dims in matrices for size in set(dims)).most_common(1)[0][0]
        layers = [max(dims) for dims in matrices if max(dims) <= MANY_TIMES * hidden]
        return cls(*total, hidden, max(layers, default=hidden), max(map(max, matrices)))


def _initializers(content: mmap.mmap) -> Iterator[tuple[list[int], int]]:
    """Dimensions and data type of each."""
    for graph in fields(content, 0, len(content)):
        if graph.number == GRAPH:
            for one in fields(content, graph.begin, graph.end):
                if one.number == INITIALIZER:
                    yield _tensor(content, one.begin, one.end)


def _tensor(content: mmap.mmap, begin: int, end: int) -> tuple[list[int], int]:
    dims: list[int] = []
    kind = 0
    for number, first, last in fields(content, begin, end):
        if number == DIMS:
            while first < last:
                size, first = varint(content, first, last)
                dims.append(size)
        elif number == DATA_TYPE:
            kind = varint(content, first, last)[0]
    return dims, kind
