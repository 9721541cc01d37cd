"""A phase of load as a job: what one client process does, or its share of what several do."""

from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

from .energy import Meters
from .load import Samples, Send, closed_loop, open_loop
from .pacing import FloatArray


@dataclass(frozen=True)
class OpenJob:
    """Calls at given times, see ``open_loop``."""

    times: FloatArray
    seconds: float
    warmup: float
    first: int
    """The number of the first request; the others follow in steps, round all there are."""
    step: int = 1
    start: float | None = None
    """The ``time.perf_counter()`` at which it begins: the clock of all processes on Linux."""

    def share(self, client: int, clients: int, start: float) -> Self:
        """What one of several clients does: every n-th arrival with its request."""
        times, first = self.times[client::clients], self.first + client * self.step
        return replace(self, times=times, first=first, step=clients * self.step, start=start)

    async def run(self, send: Send, requests: int) -> Samples:
        """Do it with as many different requests."""
        order = numbers(self.first, self.step, requests)
        return await open_loop(send, order, self.times, self.seconds, warmup=self.warmup, start=self.start)


@dataclass(frozen=True)
class ClosedJob:
    """So many calls in flight, see ``closed_loop``."""

    in_flight: int
    seconds: float
    warmup: float
    first: int
    max_calls: int
    step: int = 1
    start: float | None = None
    """As above."""

    def share(self, client: int, clients: int, start: float) -> Self:
        """What one of several clients does: an even part of the calls in flight."""
        return replace(
            self,
            in_flight=self.in_flight // clients + (client < self.in_flight % clients),
            max_calls=self.max_calls // clients,
            first=self.first + client * self.step,
            step=clients * self.step,
            start=start,
        )

    async def run(self, send: Send, requests: int) -> Samples:
        """Do it with as many different requests."""
        order = numbers(self.first, self.step, requests)
        return await closed_loop(
            send,
            order,
            self.in_flight,
            self.seconds,
            warmup=self.warmup,
            max_calls=self.max_calls,
            start=self.start,
        )


Job = OpenJob | ClosedJob
Drive = Callable[[Job], Coroutine[Any, Any, Samples]]
"""Does a job in one process or in several."""


def metered(drive: Drive, meters: Meters) -> Drive:
    """The same, with the energy that was used after each job's warm-up."""

    async def drive_and_meter(job: Job) -> Samples:
        samples, energy = await meters.during(drive(job), after=job.warmup, seconds=job.seconds)
        return replace(samples, energy=energy)

    return drive_and_meter


def numbers(first: int, step: int, count: int) -> Iterator[int]:
    """``first``, ``first + step``, … round ``count`` requests, for ever."""
    place = first
    while True:
        yield place % count
        place += step
