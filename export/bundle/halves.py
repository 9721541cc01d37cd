"""Graphs in 16-bit floats on a CPU, which has no kernels for them: computed in fp32, and rounded.

An operator reads the same numbers in fp32, and its result is rounded to the nearest number of 16 bits. A
tensor core multiplies 16 bits exactly and sums in fp32, too, so that but for the order of its sums the
gate, the golden examples and a server that has lost its GPU meet the numbers that the GPU would give.
ONNX Runtime itself refuses bf16, and drops the casts that it puts between operators in fp16: what overflows
on a GPU would pass here.
"""

import mmap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from strop.errors import InputError

from .onnx_proto import (
    ATTRIBUTE,
    ATTRIBUTE_INT,
    ATTRIBUTE_NAME,
    ATTRIBUTE_TYPE,
    DATA_TYPE,
    FLOAT,
    GRAPH,
    HALVES,
    INITIALIZER,
    INPUT,
    INT,
    NODE,
    OP_TYPE,
    OUTPUT,
    TENSOR_NAME,
)
from .protobuf import Field, bytes_field, fields, number_field, varint

MOVING = ("Concat", "Gather", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze")
"""Operators that hand numbers on as they are, which ONNX Runtime has for every type."""
ELEMENTWISE = ("Add", "Div", "Erf", "Gelu", "Mul", "Relu", "Sigmoid", "Sub", "Tanh")
PRODUCTS = ("MatMul",)
"""With the elementwise ones all that is computed in 16 bits: CUDA has kernels for each in both."""
WIDENED, UNROUNDED = b"_in_fp32", b"_unrounded"
"""What is put behind the name of a tensor: for its numbers in fp32, and before they are rounded."""


def computed_in_fp32(model: Path) -> bytes | None:
    """An ONNX file's graph as a CPU can compute it; None where it has no weights in 16 bits.

    ``InputError`` when the file isn't a graph.
    """
    try:
        with model.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            graphs = [one for one in fields(content, 0, len(content)) if one.number == GRAPH]
            weights = {name: kind for graph in graphs for name, kind in _halves(content, graph)}
            if not weights:
                return None
            return b"".join(
                bytes_field(GRAPH, b"".join(_graph(content, field, weights)))
                if field.number == GRAPH
                else raw
                for field, raw in _pieces(content, 0, len(content))
            )
    except ValueError as error:
        raise InputError(f"{model} is not a graph that is served: {error}; export the run again") from error


@dataclass(frozen=True)
class _Node:
    """What is looked at of an operator, and the rest of it."""

    operator: str
    inputs: tuple[bytes, ...]
    outputs: tuple[bytes, ...]
    to: int
    """The type that it casts to; 0 where it doesn't."""
    rest: bytes

    @classmethod
    def read(cls, content: mmap.mmap, node: Field) -> Self:
        operator, to = b"", 0
        inputs, outputs, rest = [], [], []
        for field, raw in _pieces(content, node.begin, node.end):
            value = content[field.begin : field.end]
            if field.number == INPUT:
                inputs.append(value)
            elif field.number == OUTPUT:
                outputs.append(value)
            else:
                rest.append(raw)
                if field.number == OP_TYPE:
                    operator = value
                elif field.number == ATTRIBUTE:
                    to = _target(content, field) or to
        return cls(operator.decode(errors="replace"), tuple(inputs), tuple(outputs), to, b"".join(rest))

    @classmethod
    def cast(cls, source: bytes, target: bytes, to: int) -> Self:
        attribute = b"".join(
            (
                bytes_field(ATTRIBUTE_NAME, b"to"),
                number_field(ATTRIBUTE_INT, to),
                number_field(ATTRIBUTE_TYPE, INT),
            )
        )
        rest = bytes_field(OP_TYPE, b"Cast") + bytes_field(ATTRIBUTE, attribute)
        return cls("Cast", (source,), (target,), to, rest)

    def __bytes__(self) -> bytes:
        inputs = (bytes_field(INPUT, name) for name in self.inputs)
        outputs = (bytes_field(OUTPUT, name) for name in self.outputs)
        return bytes_field(NODE, b"".join((*inputs, *outputs, self.rest)))


def _graph(content: mmap.mmap, graph: Field, weights: Mapping[bytes, int]) -> Iterator[bytes]:
    """The fields of the graph; operators come in the order in which they are computed."""
    halves, widened = dict(weights), set[bytes]()
    for field, raw in _pieces(content, graph.begin, graph.end):
        if field.number != NODE:
            yield raw
            continue
        node = _Node.read(content, field)
        read = dict.fromkeys(name for name in node.inputs if name in halves)
        kind = node.to if node.operator == "Cast" else max((halves[name] for name in read), default=FLOAT)
        if kind in HALVES and node.operator in (
            "Cast",
            "DequantizeLinear",
            *MOVING,
            *ELEMENTWISE,
            *PRODUCTS,
        ):
            halves.update(dict.fromkeys(node.outputs, kind))
        if not read or node.operator not in (*ELEMENTWISE, *PRODUCTS):
            yield raw
            continue
        yield from (bytes(_Node.cast(name, name + WIDENED, FLOAT)) for name in read if name not in widened)
        widened.update(read)
        inputs = tuple(name + WIDENED if name in read else name for name in node.inputs)
        outputs = tuple(name + UNROUNDED for name in node.outputs)
        yield bytes(_Node(node.operator, inputs, outputs, node.to, node.rest))
        yield from (bytes(_Node.cast(name + UNROUNDED, name, kind)) for name in node.outputs)


def _pieces(content: mmap.mmap, begin: int, end: int) -> Iterator[tuple[Field, bytes]]:
    """Each field of a message, and its bytes with its number."""
    for field in fields(content, begin, end):
        yield field, content[begin : field.end]
        begin = field.end


def _halves(content: mmap.mmap, graph: Field) -> Iterator[tuple[bytes, int]]:
    """Name and type of each weight in 16 bits."""
    for one in fields(content, graph.begin, graph.end):
        if one.number == INITIALIZER:
            name, kind = b"", 0
            for field in fields(content, one.begin, one.end):
                if field.number == TENSOR_NAME:
                    name = content[field.begin : field.end]
                elif field.number == DATA_TYPE:
                    kind, _ = varint(content, field.begin, field.end)
            if kind in HALVES:
                yield name, kind


def _target(content: mmap.mmap, attribute: Field) -> int:
    """What an attribute says to cast to; 0 where it is another."""
    name, number = b"", 0
    for field in fields(content, attribute.begin, attribute.end):
        if field.number == ATTRIBUTE_NAME:
            name = content[field.begin : field.end]
        elif field.number == ATTRIBUTE_INT:
            number, _ = varint(content, field.begin, field.end)
    return number if name == b"to" else 0
