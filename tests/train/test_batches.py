"""Length-grouped batches: everything once, little padding, the same order for the same epoch."""

from hypothesis import given
from hypothesis import strategies as st

from strop.train.batches import Collator, Item, LengthGroupedSampler, longest_first

LENGTHS = st.lists(st.integers(1, 60), min_size=1, max_size=300)


@given(LENGTHS, st.integers(1, 16), st.integers(0, 3))
def test_every_text_comes_once_an_epoch(lengths: list[int], batch_size: int, epoch: int) -> None:
    sampler = LengthGroupedSampler(lengths, batch_size, seed=0)
    sampler.set_epoch(epoch)
    assert sorted(sampler) == list(range(len(lengths)))


def test_an_epochs_order_depends_on_seed_and_epoch_alone() -> None:
    orders = []
    for seed, epoch in ((0, 0), (0, 0), (0, 1), (1, 0)):
        sampler = LengthGroupedSampler(list(range(100)), 8, seed)
        sampler.set_epoch(epoch)
        orders.append(tuple(sampler))
    assert orders[0] == orders[1]
    assert len(set(orders)) == 3


def test_the_texts_of_a_batch_are_about_equally_long() -> None:
    lengths = [1 + place % 50 for place in range(800)]
    order = list(LengthGroupedSampler(lengths, 8, seed=0))
    batches = [[lengths[place] for place in order[at : at + 8]] for at in range(0, 800, 8)]
    assert max(max(batch) - min(batch) for batch in batches) <= 3
    assert sorted(batches) != batches


def test_a_batch_is_padded_to_its_longest_text() -> None:
    rows = [(Item(input_ids=[5], labels=1),), (Item(input_ids=[7, 8, 9], labels=0),)]
    batch = {name: tensor.tolist() for name, tensor in Collator(3)(rows).items()}
    assert batch == {
        "input_ids": [[5, 3, 3], [7, 8, 9]],
        "attention_mask": [[1, 0, 0], [1, 1, 1]],
        "labels": [1, 0],
    }
    assert longest_first(rows) == [1, 0]
