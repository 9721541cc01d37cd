"""Rectangles of few fixed shapes, over open inputs."""

from dataclasses import asdict

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from strop.export.bundle import (
    BucketedMaskedLayout,
    MaskedLayout,
    PackedLayout,
    bucketed,
)

MAX_TOKENS = 200
PACKED = PackedLayout(alignment=8, first_position=0, pad_token_id=1)
BUCKETED = bucketed(PACKED, MAX_TOKENS)

lengths = st.lists(st.integers(1, MAX_TOKENS), min_size=1, max_size=40)


@given(lengths, st.integers(1, 4000))
def test_every_batch_within_the_budget_has_one_of_the_shapes(lengths, tokens):
    shapes = BUCKETED.shapes(tokens)
    for batch in BUCKETED.batches([np.ones(length, np.int64) for length in lengths], tokens):
        feeds = BUCKETED.feeds(batch)
        assert feeds["input_ids"].shape in shapes
        assert feeds["starts"].shape == feeds["input_ids"].shape[:1]
        longest, held = max(map(len, batch)), sum(map(len, batch))
        assert feeds["input_ids"].size == BUCKETED.computed(len(batch), longest, held)


def test_the_shapes_are_few_and_no_row_is_longer_than_the_longest_text():
    assert BUCKETED.lengths == [16, 32, 48, 64, 96, 128, 192, 200]
    assert len(BUCKETED.shapes(8192)) < 120
    shapes = BUCKETED.shapes(64)
    assert shapes[0] == (1, 200)
    assert [shape for shape in shapes if shape[0] > 1] == [(4, 16), (2, 32), (2, 16)]


@given(st.integers(33, MAX_TOKENS), st.integers(17, 3000))
def test_a_bucket_pads_by_a_third_at_most(length, texts):
    assert BUCKETED.length(length) <= 1.5 * length
    assert BUCKETED.rows(texts) <= 1.5 * texts


def test_a_text_beyond_the_longest_gets_a_row_of_its_own_length():
    assert BUCKETED.feeds([np.ones(301, np.int64)])["input_ids"].shape == (1, 304)


@given(lengths)
def test_rows_without_a_text_repeat_one_token_and_are_left_out_of_the_answers(lengths):
    sequences = [np.full(length, 7, np.int64) for length in lengths]
    feeds = BUCKETED.feeds(sequences)
    rows, length = feeds["input_ids"].shape
    real = (feeds["segment_ids"] > 0).sum(axis=1)
    assert real.tolist() == lengths + [1] * (rows - len(lengths))
    per_text = BUCKETED.by_text(np.arange(rows)[:, np.newaxis], sequences)
    assert np.asarray(per_text).ravel().tolist() == list(range(len(lengths)))
    per_token = BUCKETED.by_text(np.zeros((rows, length, 2)), sequences)
    assert [one.shape for one in per_token] == [(length, 2) for length in lengths]


def test_a_pair_keeps_its_token_types():
    pair = np.array([[2, 0], [7, 0], [3, 0], [8, 1], [3, 1]])
    feeds = BUCKETED.feeds([pair, pair, pair])
    assert feeds["token_type_ids"].shape == (4, 16)
    assert feeds["token_type_ids"][0, :6].tolist() == [0, 0, 0, 1, 1, 0]


def test_a_graph_with_a_mask_has_fixed_shapes_too():
    layout = bucketed(MaskedLayout(**asdict(PACKED)), MAX_TOKENS)
    assert isinstance(layout, BucketedMaskedLayout)
    feeds = layout.feeds([np.ones(20, np.int64)] * 3)
    assert set(feeds) == {"input_ids", "token_type_ids", "attention_mask"}
    assert feeds["attention_mask"].sum(axis=1).tolist() == [20, 20, 20, 1]
