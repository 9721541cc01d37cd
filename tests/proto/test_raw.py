"""Tensor contents to bytes and back."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strop.proto.raw import pack_bytes, pack_fp32, unpack_bytes, unpack_fp32


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


@given(st.lists(st.floats(width=32, allow_nan=False), max_size=50))
def test_packed_floats_are_little_endian_and_exact(values: list[float]) -> None:
    array = np.array(values, dtype=np.float32)
    assert np.array_equal(unpack_fp32(pack_fp32(array)), array)


def test_a_matrix_is_packed_row_by_row() -> None:
    columns_first = np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3))
    assert unpack_fp32(pack_fp32(columns_first)).tolist() == [0, 1, 2, 3, 4, 5]
