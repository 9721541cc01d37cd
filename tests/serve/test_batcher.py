"""What the batcher decides, on a clock that the test holds."""

import asyncio
import gc
import weakref
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from google.rpc import error_details_pb2, status_pb2
from hypothesis import given
from hypothesis import strategies as st

from strop.export.bundle import PackedLayout, bucketed
from strop.serve.core import Batch, Priority, Query, Work
from strop.serve.errors import InvalidArgumentError, LateError, QueueFullError
from strop.serve.scheduling.backlog import FEW
from strop.serve.scheduling.batcher import BULK_TURN, Batcher
from strop.serve.scheduling.draft import Limits
from strop.serve.scheduling.forecast import Forecast

LIMITS = Limits(batch_tokens=128, queue_texts=20, queue_tokens=800)
SECONDS_PER_TOKEN = 1 / 1000


def packed(texts: int, longest: int, tokens: int) -> int:
    return tokens


def padded(texts: int, longest: int, tokens: int) -> int:
    return texts * longest


def a_batcher(limits: Limits = LIMITS, engines: int = 1, computed: Any = packed) -> Batcher:
    """One whose engines take a millisecond a token."""
    return Batcher(limits, Forecast(engines, [(100, 100 * SECONDS_PER_TOKEN)]), computed)


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def put(
    batcher: Batcher,
    loop: asyncio.AbstractEventLoop,
    sizes: Sequence[int],
    deadline: float = 1e9,
    client: str = "somebody",
    priority: Priority = Priority.INTERACTIVE,
    now: float = 0.0,
) -> Work:
    query = Query(["text"] * len(sizes), seconds=deadline - now, client=client, priority=priority)
    work = Work(query, now, loop.create_future())
    batcher.admit(work, now)
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
unbounded = st.integers(8, 400).map(lambda tokens: Limits(tokens, 10**7, 10**7))


@given(calls, unbounded)
def test_every_text_is_computed_once_in_order_and_within_the_budget(
    loop: asyncio.AbstractEventLoop, calls: list[list[int]], limits: Limits
) -> None:
    batcher = a_batcher(limits)
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
    batcher = a_batcher(limits)
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


def test_a_text_longer_than_the_budget_goes_alone(loop: asyncio.AbstractEventLoop) -> None:
    batcher = a_batcher()
    short, long, last = (put(batcher, loop, [size]) for size in (8, 200, 8))
    assert [texts_of(batch) for batch in drain(batcher)] == [[(short, 0)], [(long, 0)], [(last, 0)]]


def test_late_and_dropped_calls_are_never_placed(loop: asyncio.AbstractEventLoop) -> None:
    batcher = a_batcher()
    late = put(batcher, loop, [8, 8], deadline=5.0)
    gone = put(batcher, loop, [8])
    alive = put(batcher, loop, [8], deadline=5.1)
    assert batcher.drop(gone)
    batch, dropped = batcher.take(now=5.0)
    assert batch is not None
    assert texts_of(batch) == [(alive, 0)]
    assert dropped == [late]


def test_what_cannot_be_ready_in_time_is_dropped_before_it_is_computed(
    loop: asyncio.AbstractEventLoop,
) -> None:
    batcher = a_batcher()
    late = put(batcher, loop, [64], deadline=0.12)
    alive = put(batcher, loop, [64], deadline=0.13)
    batch, dropped = batcher.take(now=0.0)
    assert batch is not None
    assert texts_of(batch) == [(alive, 0)]
    assert dropped == [late]
    assert (batcher.texts, batcher.tokens) == (0, 0)


def test_a_long_call_is_dropped_once_its_rest_cannot_be_ready_in_time(
    loop: asyncio.AbstractEventLoop,
) -> None:
    batcher = a_batcher()
    work = put(batcher, loop, [128, 128, 128], deadline=0.5)
    batch, _ = batcher.take(now=0.0)
    assert batch is not None
    assert texts_of(batch) == [(work, 0)]
    other = put(batcher, loop, [8], deadline=9.0, now=0.3)
    batch, dropped = batcher.take(now=0.3)
    assert dropped == [work]
    assert batch is not None
    assert texts_of(batch) == [(other, 0)]
    assert (batcher.texts, batcher.tokens) == (0, 0)


def test_an_idle_engine_tries_what_looks_late_so_that_a_wrong_forecast_is_corrected(
    loop: asyncio.AbstractEventLoop,
) -> None:
    batcher = a_batcher()
    hopeless, hopeful = (put(batcher, loop, [64], deadline=deadline) for deadline in (0.2, 0.3))
    batch, dropped = batcher.take(now=0.28)
    assert batch is not None
    assert texts_of(batch) == [(hopeful, 0)]
    assert dropped == [hopeless]


def test_a_call_that_would_wait_past_its_deadline_is_refused_at_the_door(
    loop: asyncio.AbstractEventLoop,
) -> None:
    batcher = a_batcher()
    for _ in range(3):
        put(batcher, loop, [128])
    with pytest.raises(LateError, match="would take 512 ms and the deadline is in 400 ms; retry in 112 ms"):
        put(batcher, loop, [8], deadline=0.4, client="another", priority=Priority.BULK)
    # Its turn comes with the next batch, whatever the other client has queued.
    put(batcher, loop, [8], deadline=0.4, client="another")


def test_a_call_with_an_earlier_deadline_overtakes_and_is_not_refused(
    loop: asyncio.AbstractEventLoop,
) -> None:
    batcher = a_batcher()
    patient = [put(batcher, loop, [120], deadline=100.0) for _ in range(2)]
    urgent = put(batcher, loop, [128], deadline=0.3)
    order = [texts_of(batch)[0][0] for batch in drain(batcher)]
    assert order == [urgent, *patient]


def test_interactive_texts_go_first_and_bulk_ones_are_not_starved(loop: asyncio.AbstractEventLoop) -> None:
    batcher = a_batcher(Limits(128, 1000, 10**6))
    bulk = put(batcher, loop, [128] * 2, priority=Priority.BULK)
    for _ in range(2 * BULK_TURN):
        put(batcher, loop, [128])
    turns = [texts_of(batch)[0][0] is bulk for batch in drain(batcher)]
    assert [number for number, turn in enumerate(turns) if turn] == [BULK_TURN - 1, 2 * BULK_TURN - 1]


def test_bulk_texts_fill_the_room_that_interactive_ones_leave(loop: asyncio.AbstractEventLoop) -> None:
    batcher = a_batcher()
    bulk = put(batcher, loop, [40, 40, 40], priority=Priority.BULK)
    work = put(batcher, loop, [40])
    batch, _ = batcher.take(0.0)
    assert batch is not None
    assert texts_of(batch) == [(work, 0), (bulk, 0), (bulk, 1)]


@given(st.integers(1, 6), st.integers(1, 30))
def test_a_client_with_much_queued_leaves_the_others_an_even_share_of_every_batch(
    loop: asyncio.AbstractEventLoop, others: int, flood: int
) -> None:
    batcher = a_batcher(Limits(128, 10**6, 10**6))
    put(batcher, loop, [16] * flood * 8, deadline=1.0e6, client="flood")
    modest = [put(batcher, loop, [16], client=f"client {number}") for number in range(others)]
    batch, _ = batcher.take(0.0)
    assert batch is not None
    first = {work for work, _ in texts_of(batch)}
    assert first.issuperset(modest)
    assert batch.tokens == 128


def test_a_client_may_hold_half_of_the_queue_and_another_still_finds_room(
    loop: asyncio.AbstractEventLoop,
) -> None:
    batcher = a_batcher()
    put(batcher, loop, [8] * 10)
    with pytest.raises(QueueFullError, match="10 texts wait, 10 of this connection; the queue holds 20"):
        put(batcher, loop, [8])
    put(batcher, loop, [8] * 5, client="another")
    with pytest.raises(QueueFullError, match="15 texts wait, 5 of this connection; the queue holds 20"):
        put(batcher, loop, [8], client="another")
    put(batcher, loop, [8], client="a third")


def test_what_waits_is_spread_over_idle_engines(loop: asyncio.AbstractEventLoop) -> None:
    batcher = a_batcher(engines=2)
    work = put(batcher, loop, [16] * 6)
    first, _ = batcher.take(0.0, idle=2)
    second, _ = batcher.take(0.0, idle=1)
    assert first is not None
    assert second is not None
    assert texts_of(first) == [(work, 0), (work, 1), (work, 2)]
    assert texts_of(second) == [(work, 3), (work, 4), (work, 5)]


@pytest.mark.parametrize(
    ("waiting", "taken"),
    [(96, 96), (160, 128), (320, 160), (2048, 512)],
    ids=["little", "some", "more than two small batches", "more than two large ones"],
)
def test_batches_grow_with_what_waits_for_each_engine(
    loop: asyncio.AbstractEventLoop, waiting: int, taken: int
) -> None:
    batcher = a_batcher(Limits(batch_tokens=512, queue_texts=1000, queue_tokens=10_000), engines=2)
    put(batcher, loop, [16] * (waiting // 16))
    batch, _ = batcher.take(0.0, idle=1)
    assert batch is not None
    assert batch.tokens == taken


def test_a_padded_batch_takes_texts_of_like_length(loop: asyncio.AbstractEventLoop) -> None:
    limits = Limits(1024, 100, 10_000, batch_texts=3, max_padding=0.25)
    batcher = a_batcher(limits, computed=padded)
    works = [
        put(batcher, loop, [size], client=str(number)) for number, size in enumerate((8, 64, 8, 56, 8, 8))
    ]
    batches = [[works.index(work) for work, _ in texts_of(batch)] for batch in drain(batcher)]
    assert batches == [[0, 2, 4], [1, 3], [5]]


@given(
    st.lists(st.integers(1, 200), min_size=1, max_size=120),
    st.sampled_from([256, 1024, 8192]),
    st.integers(1, 3),
)
def test_batches_of_fixed_shapes_never_idle_while_texts_wait_and_bound_their_padding(
    loop: asyncio.AbstractEventLoop, lengths: list[int], tokens: int, idle: int
) -> None:
    layout = bucketed(PackedLayout(8, 0, 1), 200)
    limits = Limits(tokens, 10**7, 10**7, max_padding=0.25)
    batcher = a_batcher(limits, engines=idle, computed=layout.computed)
    for number, length in enumerate(lengths):
        put(batcher, loop, [layout.size(length)], client=str(number))
    while batcher.texts:
        batch, _ = batcher.take(0.0, idle)
        assert batch is not None
        sizes = [work.sizes[number] for work, number in texts_of(batch)]
        rows, length = layout.rows(len(sizes)), max(sizes)
        assert batch.tokens == rows * length
        assert (rows, length) in layout.shapes(tokens)
        assert sum(sizes) >= 0.75 * len(sizes) * length
        # Only the shape's last step may stay unfilled, for want of texts or of budget.
        assert rows < 2 * len(sizes)


@pytest.mark.parametrize(("waiting", "rows"), [(5, 8), (23, 24), (300, 256)])
def test_all_that_waits_shares_a_fixed_shape_though_some_rows_stay_empty(
    loop: asyncio.AbstractEventLoop, waiting: int, rows: int
) -> None:
    layout = bucketed(PackedLayout(8, 0, 1), 200)
    batcher = a_batcher(Limits(8192, 10**7, 10**7, max_padding=0.25), computed=layout.computed)
    put(batcher, loop, [layout.size(20)] * waiting)
    batch, _ = batcher.take(0.0)
    assert batch is not None
    assert batch.texts == min(waiting, rows)
    assert batch.tokens == rows * 32


def test_one_clients_calls_of_mixed_lengths_fill_batches_and_none_is_left_or_computed_twice(
    loop: asyncio.AbstractEventLoop,
) -> None:
    layout = bucketed(PackedLayout(8, 0, 1), 200)
    batcher = a_batcher(Limits(2048, 10**7, 10**7, max_padding=0.25), computed=layout.computed)
    chance = np.random.default_rng(0)
    works = [put(batcher, loop, [layout.size(int(n))]) for n in chance.integers(1, 200, 300)]
    gone = works.pop(7)
    batcher.drop(gone)
    batches = drain(batcher)
    taken = [work for batch in batches for work, _ in texts_of(batch)]
    assert sorted(map(id, taken)) == sorted(map(id, works))
    assert batches[0].shares[0].work is works[0]  # the most urgent one is never passed over
    assert len(batches) < len(works) / 8
    held, computed = sum(work.sizes[0] for work in works), sum(batch.tokens for batch in batches)
    assert held > 0.75 * computed
    assert not batcher.has_work
    assert (batcher.texts, batcher.tokens) == (0, 0)


def test_dropped_calls_do_not_pile_up_behind_one_that_stays(loop: asyncio.AbstractEventLoop) -> None:
    batcher = a_batcher()
    first = put(batcher, loop, [8], deadline=1.0)
    dropped = []
    for _ in range(20 * FEW):
        work = put(batcher, loop, [8], deadline=2.0)
        dropped.append(weakref.ref(work))
        batcher.drop(work)
        del work
    gc.collect()
    assert sum(reference() is not None for reference in dropped) <= FEW
    assert [texts_of(batch) for batch in drain(batcher)] == [[(first, 0)]]


def test_tokens_are_bounded_and_a_refused_call_leaves_no_trace_once_dropped(
    loop: asyncio.AbstractEventLoop,
) -> None:
    batcher = a_batcher()
    put(batcher, loop, [200, 160])
    refused = Work(Query(["text"], client="somebody"), 0.0, loop.create_future())
    batcher.admit(refused, 0.0)
    with pytest.raises(QueueFullError, match="retry in 360 ms") as caught:
        batcher.enqueue(refused, [48])
    metadata = dict(caught.value.trailing_metadata)
    assert metadata["grpc-retry-pushback-ms"] == "360"
    status = status_pb2.Status.FromString(metadata["grpc-status-details-bin"])
    retry = error_details_pb2.RetryInfo()
    assert status.details[0].Unpack(retry)
    assert retry.retry_delay.ToMilliseconds() == 360
    batcher.drop(refused)
    assert (batcher.texts, batcher.tokens) == (2, 360)
    put(batcher, loop, [40])


@pytest.mark.parametrize("sizes", [[8] * 11, [208, 208]])
def test_a_call_that_no_empty_queue_could_hold_is_the_callers_fault(
    loop: asyncio.AbstractEventLoop, sizes: list[int]
) -> None:
    with pytest.raises(InvalidArgumentError, match="too many"):
        put(a_batcher(), loop, sizes)


def test_a_call_over_several_batches_is_whole_when_its_last_text_is_scored(
    loop: asyncio.AbstractEventLoop,
) -> None:
    batcher = a_batcher()
    work = put(batcher, loop, [128, 128, 128])
    rows = np.arange(6, dtype=np.float32).reshape(3, 2)
    batches = drain(batcher)
    whole = []
    for number in (2, 0, 1):
        share = batches[number].shares[0]
        whole.append(work.score(share.start, rows[share.start : share.stop]))
    assert whole == [False, False, True]
    assert np.array_equal(work.answer(8.0, 9.0).outputs, rows)
