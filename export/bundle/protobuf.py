"""The fields of a protobuf message by their lengths alone, read and written: what they hold is passed over.

As https://protobuf.dev/programming-guides/encoding has them; enough to look through an ONNX file of any
size in milliseconds, without the onnx package.
"""

import mmap
from collections.abc import Iterator
from typing import NamedTuple

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
LONGEST_VARINT = 10
"""Bytes of a number of 64 bits."""


class Field(NamedTuple):
    """Its number, and where its value begins and ends."""

    number: int
    begin: int
    end: int


def fields(content: mmap.mmap, place: int, end: int) -> Iterator[Field]:
    """Every field of the message that lies there; ``ValueError`` says what is no message."""
    while place < end:
        key, begin = varint(content, place, end)
        kind = key & 7
        if kind == VARINT:
            place = varint(content, begin, end)[1]
        elif kind == LENGTH:
            length, begin = varint(content, begin, end)
            place = begin + length
        elif kind in (FIXED64, FIXED32):
            place = begin + (8 if kind == FIXED64 else 4)
        else:
            raise ValueError(f"it has a field of wire type {kind}")
        if place > end:
            raise ValueError("it is cut off")
        yield Field(key >> 3, begin, place)


def varint(content: mmap.mmap, place: int, end: int) -> tuple[int, int]:
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


def number_field(number: int, value: int) -> bytes:
    """A field that holds a number."""
    return _base_128(number << 3 | VARINT) + _base_128(value)


def bytes_field(number: int, value: bytes) -> bytes:
    """A field that holds a text, bytes or a message."""
    return _base_128(number << 3 | LENGTH) + _base_128(len(value)) + value


def _base_128(value: int) -> bytes:
    digits = bytearray()
    while value > 127:
        digits.append(value & 127 | 128)
        value >>= 7
    digits.append(value)
    return bytes(digits)
