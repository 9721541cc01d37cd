"""The layouts, over open inputs."""

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strop.export.bundle import Layout, MaskedLayout, PackedLayout, PaddedLayout
from strop.export.bundle.slots import BLOCK

layouts = st.builds(
    lambda kind, *fields: kind(*fields),
    st.sampled_from([PackedLayout, PaddedLayout]),
    st.sampled_from([1, 8, 16]),
    st.sampled_from([0, 2]),
    st.sampled_from([0, 1]),
)
sequences = st.lists(
    st.lists(st.integers(5, 99), min_size=1, max_size=40).map(lambda ids: np.array(ids, dtype=np.int64)),
    min_size=1,
    max_size=12,
)


@given(layouts, sequences)
def test_every_sequence_can_be_read_back_from_its_start(layout, sequences):
    feeds = layout.feeds(sequences)
    tokens, positions = feeds["input_ids"].ravel(), feeds["position_ids"].ravel()
    for start, sequence in zip(feeds["starts"], sequences, strict=True):
        place = slice(start, start + len(sequence))
        np.testing.assert_array_equal(tokens[place], sequence)
        np.testing.assert_array_equal(positions[place], layout.first_position + np.arange(len(sequence)))


@given(layouts, sequences)
def test_every_sequence_lies_in_one_row_of_slots_at_an_aligned_column(layout, sequences):
    feeds = layout.feeds(sequences)
    slots, segments = feeds["slots"], feeds["segment_ids"]
    for number, (start, sequence) in enumerate(zip(feeds["starts"], sequences, strict=True), start=1):
        rows, columns = np.nonzero(segments == number)
        assert len(set(rows)) == 1
        assert columns[0] % layout.alignment == 0
        np.testing.assert_array_equal(columns, columns[0] + np.arange(len(sequence)))
        np.testing.assert_array_equal(slots[rows, columns], start + np.arange(len(sequence)))
    assert slots.shape[1] <= layout.alignment * -(-max(map(len, sequences)) // layout.alignment)


@given(layouts, sequences)
def test_a_token_s_place_is_the_slot_that_holds_it(layout, sequences):
    feeds = layout.feeds(sequences)
    slots, segments = feeds["slots"].ravel(), feeds["segment_ids"].ravel()
    places = feeds["places"].ravel()
    assert places.size == feeds["input_ids"].size
    real = np.flatnonzero(segments)
    np.testing.assert_array_equal(places[slots[real]], real)


@given(layouts, sequences)
def test_the_tokens_computed_are_those_that_the_layout_says(layout, sequences):
    lengths = [len(sequence) for sequence in sequences]
    computed = layout.feeds(sequences)["input_ids"].size
    assert layout.computed(len(lengths), max(lengths), sum(lengths)) == computed
    assert layout.size(lengths[0]) == layout.feeds(sequences[:1])["input_ids"].size


@given(layouts, sequences)
def test_every_input_is_int64(layout, sequences):
    assert {array.dtype for array in layout.feeds(sequences).values()} == {np.dtype(np.int64)}


@given(st.lists(st.integers(1, 600), min_size=1, max_size=20))
def test_a_sequence_begins_its_row_or_lies_within_one_block(lengths):
    feeds = PackedLayout(8, 0, 0).feeds([np.ones(length, np.int64) for length in lengths])
    for number in range(1, len(lengths) + 1):
        _, columns = np.nonzero(feeds["segment_ids"] == number)
        assert columns[0] == 0 or columns[0] // BLOCK == columns[-1] // BLOCK


def test_short_sequences_share_a_row_of_slots():
    feeds = PackedLayout(8, 0, 0).feeds([np.ones(length, np.int64) for length in (5, 24, 9, 3)])
    np.testing.assert_array_equal(feeds["segment_ids"][0], [2] * 24)
    np.testing.assert_array_equal(feeds["segment_ids"][1], [3] * 9 + [0] * 7 + [1] * 5 + [0] * 3)
    assert feeds["segment_ids"].shape == (3, 24)


@given(layouts, sequences, st.integers(1, 100))
def test_batches_keep_every_sequence_in_order_within_the_budget(layout, sequences, tokens):
    batches = list(layout.batches(sequences, tokens))
    assert [id(s) for batch in batches for s in batch] == [id(s) for s in sequences]
    for batch in batches:
        assert len(batch) == 1 or layout.feeds(batch)["input_ids"].size <= tokens


@given(layouts)
def test_a_layout_survives_the_manifest(layout):
    assert Layout.from_fields(layout.to_fields()) == layout


def test_an_unknown_kind_of_layout_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="kind is 'ragged' and this Strop reads packed, padded"):
        Layout.from_fields({"kind": "ragged"})


@given(layouts, sequences)
def test_a_masked_rectangle_has_the_padded_one_s_tokens_and_masks_the_rest(layout, sequences):
    padded = PaddedLayout(**asdict(layout))
    masked = MaskedLayout(**asdict(layout))
    feeds, known = masked.feeds(sequences), padded.feeds(sequences)
    np.testing.assert_array_equal(feeds["input_ids"], known["input_ids"])
    np.testing.assert_array_equal(feeds["attention_mask"], known["segment_ids"] > 0)
    assert feeds["attention_mask"].dtype == np.int64
    assert masked.padded() is masked
    assert Layout.from_fields(masked.to_fields()) == masked
