"""What the batcher decides, on a clock that the test holds."""

import asyncio
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strop.serve.batcher import Batcher, Limits, reach
from strop.serve.core import Batch, Query, Work
from strop.serve.errors import InvalidArgumentError, QueueFullError

LIMITS = Limits(batch_tokens=128, queue_texts=10, queue_tokens=400)


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def put(
    batcher: Batcher, loop: asyncio.AbstractEventLoop, sizes: Sequence[int], deadline: float = 1e9
) -> Work:
    work = Work(Query(["text"] * len(sizes), seconds=deadline), 0.0, loop.create_future())
    batcher.admit(work)
    batcher.enqueue(work, sizes)
    return work


def texts_of(batch: Batch) -> list[tuple[Work, int]]:
    return [(s.work, number) for s in batch.shares for number in range(s.start, s.stop)]


def drain(batcher: Batcher) -> list[Batch]:
    batches = []
    while (batch := batcher.take(0.0)[0]) is not None:
        batches.append(batch)
    return batches


calls = st.lists(st.lists(st.integers(1, 40).map(lambda n: 8 * n), min_size=1, max_size=8), max_size=12)
unbounded = st.integers(8, 400).map(lambda tokens: Limits(tokens, 10**6, 10**6))


@given(calls, unbounded)
def test_every_text_is_computed_once_in_order_and_within_the_budget(
    loop: asyncio.AbstractEventLoop, calls: list[list[int]], limits: Limits
) -> None:
    batcher = Batcher(limits, 1.0)
    works = [put(batcher, loop, sizes) for sizes in calls]
    batches = drain(batcher)
    taken = [text for batch in batches for text in texts_of(batch)]
    assert taken == [(work, number) for work in works for number in range(len(work.query))]
    for batch in batches:
        sizes = [work.sizes[number] for work, number in texts_of(batch)]
        assert batch.tokens == sum(sizes)
        assert batch.tokens <= limits.batch_tokens or len(sizes) == 1
    assert (batcher.texts, batcher.tokens) == (0, 0)


@given(calls, unbounded, st.data())
def test_dropped_calls_leave_the_others_and_the_counts_as_if_they_had_never_come(
    loop: asyncio.AbstractEventLoop, calls: list[list[int]], limits: Limits, data: st.DataObject
) -> None:
    batcher = Batcher(limits, 1.0)
    works = [put(batcher, loop, sizes) for sizes in calls]
    gone = [work for work in works if data.draw(st.booleans())]
    first, _ = batcher.take(0.0)
    for work in gone:
        batcher.drop(work)
        batcher.drop(work)
    live = [work for work in works if work not in gone]
    assert batcher.texts == sum(work.waiting_texts for work in live)
    assert batcher.tokens == sum(work.waiting_tokens for work in live)
    taken = [text for batch in drain(batcher) for text in texts_of(batch)]
    early = texts_of(first) if first else []
    assert [text for text in early + taken if text[0] in live] == [
        (work, number) for work in live for number in range(len(work.query))
    ]
    assert not [text for text in taken if text[0] in gone]
    assert (batcher.texts, batcher.tokens) == (0, 0)


@given(st.lists(st.integers(1, 50)), st.integers(0, 10), st.integers(0, 300))
def test_reach_goes_as_far_as_the_room_and_no_farther(sizes: list[int], start: int, room: int) -> None:
    start = min(start, len(sizes))
    stop = reach(sizes, start, room)
    assert sum(sizes[start:stop]) <= room
    assert stop == len(sizes) or sum(sizes[start : stop + 1]) > room


def test_a_text_longer_than_the_budget_goes_alone(loop: asyncio.AbstractEventLoop) -> None:
    batcher = Batcher(LIMITS, 1.0)
    short, long, last = (put(batcher, loop, [size]) for size in (8, 200, 8))
    assert [texts_of(batch) for batch in drain(batcher)] == [[(short, 0)], [(long, 0)], [(last, 0)]]


def test_late_and_dropped_calls_are_never_placed(loop: asyncio.AbstractEventLoop) -> None:
    batcher = Batcher(LIMITS, 1.0)
    late = put(batcher, loop, [8, 8], deadline=5.0)
    gone = put(batcher, loop, [8])
    alive = put(batcher, loop, [8], deadline=5.1)
    assert batcher.drop(gone)
    batch, expired = batcher.take(now=5.0)
    assert batch is not None
    assert texts_of(batch) == [(alive, 0)]
    assert expired == [late]


def test_a_call_that_turns_late_half_way_loses_its_rest(loop: asyncio.AbstractEventLoop) -> None:
    batcher = Batcher(LIMITS, 1.0)
    work = put(batcher, loop, [128, 128], deadline=5.0)
    batch, _ = batcher.take(now=1.0)
    assert batch is not None
    assert texts_of(batch) == [(work, 0)]
    assert batcher.take(now=6.0) == (None, [work])
    assert (batcher.texts, batcher.tokens) == (0, 0)


def test_texts_are_bounded_at_the_door(loop: asyncio.AbstractEventLoop) -> None:
    batcher = Batcher(LIMITS, 1.0)
    put(batcher, loop, [8] * 9)
    with pytest.raises(QueueFullError, match="9 texts wait and the queue holds 10"):
        put(batcher, loop, [8] * 2)
    put(batcher, loop, [8])


def test_tokens_are_bounded_and_a_refused_call_leaves_no_trace_once_dropped(
    loop: asyncio.AbstractEventLoop,
) -> None:
    batcher = Batcher(LIMITS, tokens_per_second=1000.0)
    put(batcher, loop, [200, 160])
    refused = Work(Query(["text"]), 0.0, loop.create_future())
    batcher.admit(refused)
    with pytest.raises(QueueFullError, match="retry in 360 ms") as caught:
        batcher.enqueue(refused, [48])
    assert caught.value.trailing_metadata == (("grpc-retry-pushback-ms", "360"),)
    batcher.drop(refused)
    assert (batcher.texts, batcher.tokens) == (2, 360)
    put(batcher, loop, [40])


@pytest.mark.parametrize("sizes", [[8] * 11, [208, 208]])
def test_a_call_that_no_empty_queue_could_hold_is_the_callers_fault(
    loop: asyncio.AbstractEventLoop, sizes: list[int]
) -> None:
    with pytest.raises(InvalidArgumentError, match="too many"):
        put(Batcher(LIMITS, 1.0), loop, sizes)


def test_a_call_over_several_batches_is_whole_when_its_last_text_is_scored(
    loop: asyncio.AbstractEventLoop,
) -> None:
    batcher = Batcher(LIMITS, 1.0)
    work = put(batcher, loop, [128, 128, 128])
    rows = np.arange(6, dtype=np.float32).reshape(3, 2)
    batches = drain(batcher)
    for number in (2, 0, 1):
        assert not work.future.done()
        share = batches[number].shares[0]
        work.score(share.start, rows[share.start : share.stop], now=float(number))
    assert work.future.done()
    assert np.array_equal(work.answer(9.0).probabilities, rows)
