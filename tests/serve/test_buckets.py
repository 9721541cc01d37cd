"""The fixed shapes of a card's batches: each batch fits its own, and what fills it up changes no answer."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from strop.export.bundle import PackedLayout
from strop.serve.engines.buckets import BUCKETS, Bucket, bucket_for

LAYOUT = PackedLayout(alignment=8, first_position=2, pad_token_id=1)


@given(st.lists(st.integers(1, 512), min_size=1, max_size=200))
def test_a_batch_gets_the_smallest_bucket_that_holds_it(lengths):
    bucket = bucket_for(sum(lengths), len(lengths))
    held = [one for one in BUCKETS if sum(lengths) <= one.tokens and len(lengths) <= one.texts]
    assert bucket == (held[0] if held else None)


def test_no_bucket_is_more_than_half_as_large_again_as_the_one_before():
    sizes = [bucket.tokens for bucket in BUCKETS]
    assert all(1 < larger / size <= 1.5 for size, larger in pairwise(sizes))


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8))
def test_a_filled_batch_has_the_buckets_shape_and_its_own_entries(lengths):
    feeds = LAYOUT.tokens([np.arange(length) + 3 for length in lengths])
    filled = Bucket(96).filled(feeds)
    assert {name: array.shape for name, array in filled.items()} == {
        "input_ids": (1, 96),
        "token_type_ids": (1, 96),
        "position_ids": (1, 96),
        "cu_seqlens": (13,),
        "starts": (12,),
    }
    for name, array in feeds.items():
        np.testing.assert_array_equal(filled[name][..., : array.shape[-1]], array)
    assert (filled["cu_seqlens"][len(lengths) :] == sum(lengths)).all()
