"""The load: an open loop that sends when it means to, a closed loop that keeps N in flight."""

import asyncio
import contextlib
import gc
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .client import Outcome
from .energy import Energy
from .pacing import FloatArray

Send = Callable[[int], Awaitable[Outcome]]
"""Sends the request of that number; the only thing the generator knows of a server."""

Row = tuple[float, float, float, int, Outcome]
"""A call: when it was meant to go, went and was answered, which request it was, how it ended."""

REFUSED_PAUSE_SECONDS = 0.01
"""What a closed-loop caller waits after a failed call, lest refusals become the load."""


@dataclass(frozen=True)
class Samples:
    """What happened to each call of one phase; arrays of shape [calls] by intended send time.

    Times are seconds since the phase began. Latency is ``done - intended``: a server that stalls
    delays the calls behind it too, and a count from ``sent`` would leave their wait out.
    """

    request: NDArray[np.int64]
    intended: FloatArray
    sent: FloatArray
    done: FloatArray
    outcomes: tuple[Outcome, ...]
    begin: float
    """When measuring began; earlier calls are left out as warm-up."""
    end: float
    """When sending ended."""
    client_cpu: float
    """CPU seconds of the client's process per second, of the busiest where there are several: near 1,
    one core is all that it can use."""
    energy: Energy | None = None
    """What the server's machine used meanwhile, where it was metered."""

    @property
    def latency(self) -> FloatArray:
        """Seconds from the intended send to the reply."""
        return self.done - self.intended

    @property
    def lag(self) -> FloatArray:
        """Seconds by which each send came later than intended."""
        return self.sent - self.intended

    def then(self, later: "Samples") -> "Samples":
        """Both, as if ``later`` had begun when the last of these was answered."""
        over = max([self.end, *self.done.tolist()])
        shift = over - later.begin
        moved = replace(
            later,
            intended=later.intended + shift,
            sent=later.sent + shift,
            done=later.done + shift,
            end=later.end + shift,
        )
        energy = self.energy.then(later.energy) if self.energy and later.energy else None
        return replace(together([self, replace(moved, begin=self.begin)]), energy=energy)


def together(parts: Sequence[Samples]) -> Samples:
    """What several client processes sent in one phase, at least one; their times have one zero."""
    outcomes = [outcome for part in parts for outcome in part.outcomes]
    intended, sent = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("intended", "sent")
    )
    order = np.lexsort((sent, intended))
    return Samples(
        np.concatenate([part.request for part in parts])[order],
        intended[order],
        sent[order],
        np.concatenate([part.done for part in parts])[order],
        tuple(outcomes[place] for place in order.tolist()),
        parts[0].begin,
        max(part.end for part in parts),
        max(part.client_cpu for part in parts),
    )


async def open_loop(
    send: Send,
    requests: Iterator[int],
    times: FloatArray,
    seconds: float,
    *,
    warmup: float = 0.0,
    start: float | None = None,
) -> Samples:
    """Send one call at each of ``times``, whatever became of the earlier ones; wait for them all.

    ``seconds`` is the span that ``times`` lie in after ``warmup``; calls meant for the warm-up are left
    out of the samples. ``start``: the ``time.perf_counter()`` that is their zero, now by default. The
    number of calls, and through their deadline the time, are bounded by the caller.
    """
    log = CallLog(send, start)
    loop = asyncio.get_running_loop()
    stop = threading.Event()
    async with _without_full_collections(), asyncio.TaskGroup() as group:

        def launch(intended: float) -> None:
            if not stop.is_set():
                group.create_task(log.call(next(requests), intended))

        try:
            await asyncio.to_thread(
                _pace,
                times,
                log.start,
                stop,
                lambda intended: loop.call_soon_threadsafe(launch, intended),
            )
        finally:
            stop.set()
    return log.samples(warmup, warmup + seconds, lambda row: row[0] >= warmup)


async def closed_loop(
    send: Send,
    requests: Iterator[int],
    in_flight: int,
    seconds: float,
    *,
    warmup: float = 0.0,
    max_calls: int = 500_000,
    start: float | None = None,
) -> Samples:
    """Keep ``in_flight`` calls under way for ``warmup + seconds`` or ``max_calls``, then end.

    Calls that were answered during the warm-up are left out of the samples. ``start`` as ``open_loop``
    takes it.
    """
    log = CallLog(send, start)

    async def caller() -> None:
        await asyncio.sleep(-log.now())
        while log.now() < warmup + seconds and log.launched < max_calls:
            outcome = await log.call(next(requests), log.now())
            if outcome.status != "OK":
                await asyncio.sleep(REFUSED_PAUSE_SECONDS)

    async with _without_full_collections(), asyncio.TaskGroup() as group:
        for _ in range(in_flight):
            group.create_task(caller())
    return log.samples(warmup, min(warmup + seconds, log.now()), lambda row: row[2] >= warmup)


@contextlib.asynccontextmanager
async def _without_full_collections() -> AsyncIterator[None]:
    """Keep the garbage collector off the rows, which stay: walking 80,000 stops every call for 0.1 s."""
    thresholds = gc.get_threshold()
    gc.set_threshold(*thresholds[:2], 2**30)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)


def _pace(
    times: FloatArray, start: float, stop: threading.Event, launch: Callable[[float], object]
) -> None:
    # In a thread: the timers of uvloop and of epoll round to whole milliseconds.
    for intended in times.tolist():
        if stop.wait(max(0.0, start + intended - time.perf_counter())):
            return
        launch(intended)


class CallLog:
    """Sends calls and collects a row for each; times are seconds since ``start``, now by default."""

    def __init__(self, send: Send, start: float | None = None) -> None:
        self.send = send
        self.start = time.perf_counter() if start is None else start
        self.launched = 0
        self._rows: list[Row] = []
        self._made = time.perf_counter(), time.process_time()

    def now(self) -> float:
        """The time."""
        return time.perf_counter() - self.start

    async def call(self, request: int, intended: float) -> Outcome:
        """Send the request of that number, which was meant to go at ``intended``."""
        self.launched += 1
        sent = self.now()
        outcome = await self.send(request)
        self._rows.append((intended, sent, self.now(), request, outcome))
        return outcome

    def samples(self, begin: float, end: float, counts: Callable[[Row], bool] = lambda _: True) -> Samples:
        """The rows that count, in the order of their intended send."""
        seconds, cpu = time.perf_counter() - self._made[0], time.process_time() - self._made[1]
        rows = sorted(filter(counts, self._rows), key=lambda row: row[:2])
        intended, sent, done = (
            np.array([row[column] for row in rows], dtype=np.float64) for column in range(3)
        )
        requests = np.array([row[3] for row in rows], dtype=np.int64)
        outcomes = tuple(row[4] for row in rows)
        return Samples(requests, intended, sent, done, outcomes, begin, end, cpu / seconds)
