"""The load generator against fake servers: coroutines with known service times."""

import asyncio
import itertools
import time

import numpy as np
import pytest

from strop.bench.client import Outcome
from strop.bench.jobs import ClosedJob, OpenJob
from strop.bench.load import Samples, closed_loop, open_loop, together
from strop.bench.pacing import constant

OK = Outcome("OK")


async def answer_at_once(_: int) -> Outcome:
    return OK


async def answer_after_20_ms(_: int) -> Outcome:
    await asyncio.sleep(0.02)
    return OK


def test_a_server_that_stalls_delays_every_call_meant_for_the_stall() -> None:
    begun = time.perf_counter()

    async def stalled_until_half_a_second(_: int) -> Outcome:
        await asyncio.sleep(max(0.0, begun + 0.5 - time.perf_counter()))
        return OK

    async def scene() -> None:
        nonlocal begun
        begun = time.perf_counter()
        samples = await open_loop(stalled_until_half_a_second, itertools.count(), constant(200, 0.6), 0.6)
        # One caller that waits for its answer would have met the stall once. Of 200 calls a
        # second, those meant for the first 0.3 s wait at least 0.2 s.
        assert (samples.latency >= 0.2 - 1e-3).sum() >= 59

    asyncio.run(scene())


def test_latency_counts_from_the_intended_send_when_the_client_is_held_up() -> None:
    async def hold_up_everything_once(number: int) -> Outcome:
        if number == 0:
            time.sleep(0.3)  # blocks the client itself
        return OK

    samples = asyncio.run(open_loop(hold_up_everything_once, itertools.count(), constant(100, 0.4), 0.4))
    assert (samples.latency >= 0.1 - 1e-3).sum() >= 19
    assert (samples.lag >= 0.1 - 1e-3).sum() >= 18
    # Counted from the actual send, the same calls would look instant.
    assert sorted(samples.done - samples.sent)[20] < 0.1


def test_a_known_service_time_is_measured() -> None:
    samples = asyncio.run(open_loop(answer_after_20_ms, itertools.count(), constant(100, 0.5), 0.5))
    assert (samples.latency >= 0.02 - 1e-3).all()
    assert sorted(samples.latency)[25] < 0.06


def test_an_open_loop_sends_every_call_in_order_however_slow_the_answers() -> None:
    samples = asyncio.run(
        open_loop(answer_after_20_ms, itertools.cycle(range(7)), constant(1000, 0.1), 0.1)
    )
    assert samples.request.tolist() == [n % 7 for n in range(100)]
    assert (samples.sent >= samples.intended).all()
    assert (samples.done >= samples.sent).all()


def test_a_closed_loop_keeps_its_calls_in_flight_and_no_more() -> None:
    flying = highest = 0

    async def count(_: int) -> Outcome:
        nonlocal flying, highest
        flying += 1
        highest = max(highest, flying)
        await asyncio.sleep(0.005)
        flying -= 1
        return OK

    samples = asyncio.run(closed_loop(count, itertools.count(), 8, 0.1))
    assert highest == 8
    assert len(samples.outcomes) >= 16


def test_calls_answered_during_the_warm_up_are_left_out() -> None:
    samples = asyncio.run(closed_loop(answer_after_20_ms, itertools.count(), 2, 0.1, warmup=0.1))
    assert samples.begin == 0.1
    assert (samples.done >= 0.1).all()


def test_a_closed_loop_is_bounded_in_calls() -> None:
    samples = asyncio.run(closed_loop(answer_at_once, itertools.count(), 4, 60.0, max_calls=100))
    assert 100 <= len(samples.outcomes) <= 104
    assert samples.end < 60


def test_a_refused_closed_loop_caller_pauses_before_it_tries_again() -> None:
    async def refuse(_: int) -> Outcome:
        return Outcome("RESOURCE_EXHAUSTED")

    samples = asyncio.run(closed_loop(refuse, itertools.count(), 1, 0.1))
    assert 1 <= len(samples.outcomes) <= 11


@pytest.mark.parametrize("loop", ["open", "closed"])
def test_a_cancelled_load_leaves_no_call_and_no_thread_behind(loop: str) -> None:
    begun = asyncio.Event()
    ended = 0

    async def forever(_: int) -> Outcome:
        nonlocal ended
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended += 1
        return OK

    async def scene() -> None:
        load = asyncio.create_task(
            open_loop(forever, itertools.count(), constant(50, 600), 600)
            if loop == "open"
            else closed_loop(forever, itertools.count(), 3, 600)
        )
        await begun.wait()
        load.cancel()
        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(10):
                await load
        assert len(asyncio.all_tasks()) == 1

    # asyncio.run waits for the pacing thread: with one left behind it would take ten minutes.
    asyncio.run(scene())
    assert ended >= 1


def test_a_closed_loop_of_several_clients_asks_every_request_and_waits_for_the_common_start() -> None:
    job = ClosedJob(in_flight=5, seconds=0.1, warmup=0.0, first=3, max_calls=40)
    start = time.perf_counter() + 0.05
    shares = [job.share(client, 2, start) for client in range(2)]
    assert [share.in_flight for share in shares] == [3, 2]

    async def both() -> list[Samples]:
        return list(await asyncio.gather(*(share.run(answer_at_once, 7) for share in shares)))

    samples = together(asyncio.run(both()))
    assert set(samples.request.tolist()) == set(range(7))
    assert (samples.sent >= -1e-3).all()
    assert (np.diff(samples.intended) >= 0).all()


def test_clients_share_the_arrivals_and_each_keeps_its_request() -> None:
    job = OpenJob(constant(1000, 0.05), 0.05, 0.0, first=2)
    start = time.perf_counter()

    async def all_three() -> list[Samples]:
        shares = [job.share(client, 3, start) for client in range(3)]
        return list(await asyncio.gather(*(share.run(answer_at_once, 7) for share in shares)))

    samples = together(asyncio.run(all_three()))
    assert samples.intended == pytest.approx(constant(1000, 0.05))
    assert samples.request.tolist() == [(2 + n) % 7 for n in range(50)]


def test_calls_meant_for_the_warm_up_of_an_open_loop_are_left_out() -> None:
    samples = asyncio.run(
        open_loop(answer_after_20_ms, itertools.count(), constant(100, 0.2), 0.1, warmup=0.1)
    )
    assert samples.request.tolist() == list(range(10, 20))
    assert (samples.begin, samples.end) == pytest.approx((0.1, 0.2))


def test_a_phase_that_goes_on_counts_both_stretches_and_no_gap() -> None:
    first, second = (
        asyncio.run(open_loop(answer_after_20_ms, itertools.count(), constant(100, 0.1), 0.1))
        for _ in range(2)
    )
    both = first.then(second)
    assert len(both.outcomes) == 20
    assert sorted(both.latency) == pytest.approx(sorted([*first.latency, *second.latency]))
    span = max(both.end, both.done.max()) - both.begin
    assert span == pytest.approx(sum(max(one.end, one.done.max()) for one in (first, second)))
