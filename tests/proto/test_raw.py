"""Tensor contents to bytes and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strop.proto.raw import pack_bytes, pack_fp32, unpack_bytes, unpack_fp32, unpack_integers


def test_bytes_are_packed_as_the_protocol_says() -> None:
    packed = pack_bytes([b"ab", "é".encode()])
    assert packed == bytes.fromhex("02000000 6162 02000000 c3a9")


@given(st.lists(st.binary(max_size=300)))
def test_packed_bytes_unpack_to_themselves(elements: list[bytes]) -> None:
    assert unpack_bytes(pack_bytes(elements)) == elements


@given(st.lists(st.binary(max_size=20), min_size=1), st.data())
def test_bytes_that_are_cut_off_are_refused_or_end_at_an_element(
    elements: list[bytes], data: st.DataObject
) -> None:
    packed = pack_bytes(elements)
    cut = data.draw(st.integers(0, len(packed) - 1))
    try:
        found = unpack_bytes(packed[:cut])
    except ValueError:
        return
    assert found == elements[: len(found)]
    assert cut == len(pack_bytes(found))


@pytest.mark.parametrize("raw", [b"\x01", b"\x05\x00\x00\x00abc", b"\xff\xff\xff\xff"])
def test_a_broken_element_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match="element"):
        unpack_bytes(raw)


def test_no_more_elements_are_unpacked_than_the_limit() -> None:
    packed = pack_bytes([b"a", b"b"])
    assert unpack_bytes(packed, limit=2) == [b"a", b"b"]
    with pytest.raises(ValueError, match="more than 1 elements"):
        unpack_bytes(packed, limit=1)


@pytest.mark.parametrize(("datatype", "size"), [("BOOL", 1), ("INT32", 4), ("INT64", 8)])
def test_integers_are_little_endian_and_come_as_int64(datatype: str, size: int) -> None:
    raw = b"".join(value.to_bytes(size, "little") for value in (1, 0, 100))
    values = unpack_integers(raw, datatype)
    assert values.dtype == np.int64
    assert values.tolist() == [1, 0, 100]
    if size > 1:
        assert unpack_integers(b"\xff" * size, datatype).tolist() == [-1]
        with pytest.raises(ValueError, match="multiple"):
            unpack_integers(raw[1:], datatype)


@given(st.lists(st.floats(width=32, allow_nan=False), max_size=50))
def test_packed_floats_are_little_endian_and_exact(values: list[float]) -> None:
    array = np.array(values, dtype=np.float32)
    assert np.array_equal(unpack_fp32(pack_fp32(array)), array)


def test_a_matrix_is_packed_row_by_row() -> None:
    columns_first = np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3))
    assert unpack_fp32(pack_fp32(columns_first)).tolist() == [0, 1, 2, 3, 4, 5]
