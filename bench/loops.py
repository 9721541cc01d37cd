"""Closed and open loops of calls to one server, warmed up, each judged when it has run."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import numpy as np

from strop.errors import StropError

from .accuracy import Answers
from .client import Outcome
from .clients import processes
from .config import MAX_CALLS, BenchConfig
from .energy import NO_METERS, Meters
from .jobs import ClosedJob, Drive, Job, OpenJob, metered
from .load import Samples
from .pacing import Shape
from .protocols import Reply, Wire, read_reply
from .search import Phase, is_certain, judge
from .served import Served
from .statistics import median_stages, summarise
from .target import caller, wire
from .texts import Texts, group

WARMUP_SHARE = 0.1
"""At most so much of an open loop is its warm-up: the server is warm, only its queue has to fill."""


@asynccontextmanager
async def connected(
    config: BenchConfig,
    served: Served,
    texts: Texts,
    *,
    meters: Meters = NO_METERS,
    check: Callable[[Reply], None] = lambda _: None,
    note: Callable[[str], None] = lambda _: None,
) -> AsyncIterator["Load"]:
    """A load on the server at ``config.address``, which has answered one call; raises as ``run``."""
    asked = wire(config, served)
    # A trace that came with the texts keeps each text in its place.
    in_place = config.arrivals == "trace" and not config.trace
    groups = group(len(texts.texts), config.texts_per_call, None if in_place else config.seed)
    arrived = texts.arrived[:: 1 if config.trace else config.texts_per_call]
    shape = Shape(config.arrivals, arrived, config.burst_factor, config.burst_seconds)
    async with caller(config) as client:
        requests = [asked.encode([texts.texts[number] for number in call]) for call in groups]
        first = await client.ask(asked, [texts.texts[number] for number in groups[0]])
        check(first)

        async def send(number: int) -> Outcome:
            return await client.call(asked.method, requests[number])

        async def here(job: Job) -> Samples:
            return await job.run(send, len(requests))

        drive = metered(here, meters)
        load = Load(config, asked, first, Answers(served.task), groups, shape, drive, send, note, in_place)
        if (config.clients or 1) == 1:
            yield load
        else:
            async with processes(config, asked.method, requests) as there:
                load.drive = metered(there, meters)
                yield load


class Load:
    """Runs phases against one server and keeps what it answered."""

    def __init__(
        self,
        config: BenchConfig,
        wire: Wire,
        first: Reply,
        answers: Answers,
        groups: Sequence[tuple[int, ...]],
        shape: Shape,
        drive: Drive,
        send: Callable[[int], Awaitable[Outcome]],
        note: Callable[[str], None],
        in_place: bool,
    ) -> None:
        self.first = first
        """The reply to the first call."""
        self.answers = answers
        self.drive = drive
        """Does the phases, in this process or in several."""
        self.send = send
        """Sends the call of that number, of as many as ``groups``."""
        self._config = config
        self._wire = wire
        self._groups = groups
        self._shape = shape
        self._note = note
        self._in_place = in_place
        # One round through all phases, so that as many texts as possible are asked.
        self._asked = 0
        self._opened = 0

    async def closed(self, seconds: float) -> Phase:
        """Keep ``config.in_flight`` calls under way; ``StropError`` if none is answered."""
        in_flight, warmup = self._config.in_flight, self._config.warmup_seconds
        self._note(f"closed loop, {in_flight} in flight, {seconds:.1f} s after warm-up")
        samples = await self.drive(ClosedJob(in_flight, seconds, warmup, self._asked, MAX_CALLS))
        self._asked += len(samples.outcomes)
        phase = self.phase(samples, "closed", in_flight=in_flight)
        if phase.summary.answered == 0:
            why = next((f"{o.detail} ({o.status})" for o in samples.outcomes), "no call ended in time")
            raise StropError(f"the server answered none of {phase.summary.calls} calls: {why}")
        return phase

    async def open(self, rate: float, seconds: float) -> Phase:
        """Offer ``rate`` texts a second, spaced by ``config.arrivals``."""
        return self.phase(await self._offer(rate, seconds), "open", offered=rate)

    async def decide(self, rate: float, seconds: float) -> Phase:
        """Offer ``rate`` as ``open`` does, and once more for as long where that left it undecided."""
        samples = await self._offer(rate, seconds)
        phase = self.phase(samples, "open", offered=rate)
        if phase.certain:
            return phase
        return self.phase(samples.then(await self._offer(rate, seconds)), "open", offered=rate)

    async def _offer(self, rate: float, seconds: float) -> Samples:
        config = self._config
        self._note(f"open loop, {rate:.1f} texts/s offered, {seconds:.1f} s")
        rate_of_calls, seed = rate / config.texts_per_call, config.seed + self._opened
        warmup = min(config.warmup_seconds, WARMUP_SHARE * seconds)
        times = self._shape.times(rate_of_calls, seconds, seed)
        before = self._shape.times(rate_of_calls, warmup, seed) if warmup else times[:0]
        before = np.minimum(before, np.nextafter(warmup, 0.0))  # a trace may end on the very end
        # Where each text has its place, every phase begins to count with the first.
        first = -len(before) if self._in_place else self._asked
        self._opened += 1
        self._asked += len(before) + len(times)
        return await self.drive(OpenJob(np.concatenate([before, warmup + times]), seconds, warmup, first))

    def phase(
        self,
        samples: Samples,
        loop: str,
        *,
        in_flight: int | None = None,
        offered: float | None = None,
    ) -> Phase:
        """Read the replies in ``samples`` and sum them up; an open loop is judged too."""
        slo = self._config.slo
        summary = summarise(samples, slo=slo, texts_per_call=self._config.texts_per_call)
        stages = []
        for request, outcome in zip(samples.request.tolist(), samples.outcomes, strict=True):
            if outcome.status == "OK":
                call = self._groups[request]
                reply = read_reply(self._wire, outcome.reply, len(call))
                for text, result in zip(call, reply.results, strict=True):
                    self.answers.add(text, result)
                stages += [reply.stages] if reply.stages else []
        if set(summary.errors) == {"UNAVAILABLE"} and not summary.answered:
            raise StropError(f"the server went away: {samples.outcomes[0].detail}")
        found = Phase(loop, in_flight, offered, summary, median_stages(stages))
        if loop == "closed":
            return found
        errors = self._config.max_errors
        failure, certain = judge(summary, slo, errors), is_certain(summary, slo, errors)
        return replace(found, failure=failure, certain=certain)
