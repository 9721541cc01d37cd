"""Raw tensor contents to values and back, as the Open Inference Protocol packs them."""

import struct
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

_LENGTH = struct.Struct("<I")


def pack_bytes(elements: Iterable[bytes]) -> bytes:
    """A BYTES tensor as raw contents: each element behind its length (u32, little-endian)."""
    return b"".join(_LENGTH.pack(len(element)) + element for element in elements)


def unpack_bytes(raw: bytes, limit: int | None = None) -> list[bytes]:
    """The elements of a BYTES tensor's raw contents.

    ``ValueError`` when they are cut off, or at once when there are more than ``limit``.
    """
    elements: list[bytes] = []
    place = 0
    while place < len(raw):
        if len(elements) == limit:
            raise ValueError(f"there are more than {limit} elements")
        start = place + _LENGTH.size
        if start > len(raw):
            raise ValueError(f"a length is cut off after {len(elements)} elements")
        (length,) = _LENGTH.unpack_from(raw, place)
        place = start + length
        if place > len(raw):
            raise ValueError(
                f"element {len(elements)} says it has {length} bytes, but {len(raw) - start} follow"
            )
        elements.append(raw[start:place])
    return elements


_INTEGERS = {"BOOL": "u1", "INT32": "<i4", "INT64": "<i8"}


def unpack_integers(raw: bytes, datatype: str) -> NDArray[np.int64]:
    """The elements of a BOOL, INT32 or INT64 tensor's raw contents, flat, as int64.

    ``ValueError`` when they are cut off.
    """
    return np.frombuffer(raw, dtype=_INTEGERS[datatype]).astype(np.int64, copy=False)


def pack_fp32(values: NDArray[np.float32]) -> bytes:
    """An FP32 tensor as raw contents: row-major and little-endian."""
    return values.astype("<f4", copy=False).tobytes()


def unpack_fp32(raw: bytes) -> NDArray[np.float32]:
    """The elements of an FP32 tensor's raw contents, flat; ``ValueError`` when they are cut off."""
    return np.frombuffer(raw, dtype="<f4")
