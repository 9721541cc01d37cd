"""The packed layout, over open inputs."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from strop.export.bundle import PackedLayout

layouts = st.builds(
    PackedLayout,
    alignment=st.sampled_from([1, 8, 16]),
    first_position=st.sampled_from([0, 2]),
    pad_token_id=st.sampled_from([0, 1]),
)
sequences = st.lists(
    st.lists(st.integers(5, 99), min_size=1, max_size=40).map(lambda ids: np.array(ids, dtype=np.int64)),
    min_size=1,
    max_size=12,
)


@given(layouts, sequences)
def test_every_sequence_can_be_read_back_from_the_row(layout, sequences):
    feeds = layout.feeds(sequences)
    for number, (start, sequence) in enumerate(zip(feeds["starts"], sequences, strict=True)):
        place = feeds["segment_ids"][0] == number + 1
        assert start % layout.alignment == 0
        assert np.flatnonzero(place)[0] == start
        np.testing.assert_array_equal(feeds["input_ids"][0, place], sequence)
        np.testing.assert_array_equal(
            feeds["position_ids"][0, place] - layout.first_position, np.arange(len(sequence))
        )


@given(layouts, sequences)
def test_what_is_no_sequence_is_padding_of_segment_zero(layout, sequences):
    feeds = layout.feeds(sequences)
    padding = feeds["segment_ids"][0] == 0
    assert padding.sum() == sum(layout.aligned(len(s)) - len(s) for s in sequences)
    assert (feeds["input_ids"][0, padding] == layout.pad_token_id).all()


@given(layouts, sequences, st.integers(1, 100))
def test_batches_keep_every_sequence_in_order_within_the_budget(layout, sequences, tokens):
    batches = list(layout.batches(sequences, tokens))
    assert [id(s) for batch in batches for s in batch] == [id(s) for s in sequences]
    for batch in batches:
        assert len(batch) == 1 or sum(layout.aligned(len(s)) for s in batch) <= tokens
