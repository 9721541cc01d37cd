"""A benchmark from its first call to its last: warm-up, closed loop, open loops."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from strop.errors import StropError

from .client import Client, Outcome
from .config import MAX_CALLS, BenchConfig
from .load import Samples, closed_loop, open_loop
from .pacing import arrivals
from .protocols import WIRES, Reply, read_reply
from .search import FIRST_SHARE, Phase, judge, search
from .statistics import median_stages, summarise
from .texts import Texts, group

CLOSED_SHARE = 1 / 3


@dataclass(frozen=True)
class Measured:
    """What a run of load gave."""

    served: Reply
    """The reply to the first call: which model, version and variant answers."""
    closed: Phase
    opened: tuple[Phase, ...]
    answers: tuple[tuple[int, str], ...]
    """(text number, label) of every answer."""

    @property
    def phases(self) -> tuple[Phase, ...]:
        """All of them, in the order in which they ran."""
        return (self.closed, *self.opened)

    @property
    def sustained(self) -> Phase | None:
        """The open loop of the highest rate that met the SLO."""
        met = [phase for phase in self.opened if phase.failure is None]
        return max(met, key=lambda phase: phase.summary.rate, default=None)


async def run(
    config: BenchConfig,
    texts: Texts,
    *,
    check: Callable[[Reply], None],
    note: Callable[[str], None],
) -> Measured:
    """Drive the server as ``config`` says.

    ``check`` may refuse the reply to the first call, before any load; ``note`` hears of progress.
    Raises ``StropError`` if the server can't be reached or answers no call, ``InputError`` if it
    refuses the first.
    """
    async with connected(config, texts, check=check, note=note) as load:
        closed = await load.closed(config.seconds * CLOSED_SHARE)
        opened = await search(
            load.open,
            first=config.rate or FIRST_SHARE * closed.summary.rate,
            ceiling=config.rate or closed.summary.rate,
            seconds=config.seconds * (1 - CLOSED_SHARE),
        )
    return Measured(load.served, closed, tuple(opened), tuple(load.answers))


@asynccontextmanager
async def connected(
    config: BenchConfig,
    texts: Texts,
    *,
    check: Callable[[Reply], None] = lambda _: None,
    note: Callable[[str], None] = lambda _: None,
) -> AsyncIterator["Load"]:
    """A load on the server at ``config.address``, which has answered one call; raises as ``run``."""
    wire = WIRES[config.protocol]
    trace = config.arrivals == "trace"
    groups = group(len(texts.texts), config.texts_per_call, None if trace else config.seed)
    async with Client(config.address, channels=config.channels, deadline=config.deadline) as client:
        model = await client.served_model(wire, config.model)
        requests = [wire.encode(model, [texts.texts[number] for number in call]) for call in groups]
        served = await client.ask(wire, model, [texts.texts[number] for number in groups[0]])
        check(served)
        arrived = texts.arrived[:: config.texts_per_call]
        yield Load(config, served, groups, arrived, lambda n: client.call(wire.method, requests[n]), note)


class Load:
    """Runs phases against one server and keeps what it answered."""

    def __init__(
        self,
        config: BenchConfig,
        served: Reply,
        groups: Sequence[tuple[int, ...]],
        arrived: Sequence[float],
        send: Callable[[int], Awaitable[Outcome]],
        note: Callable[[str], None],
    ) -> None:
        self.answers: list[tuple[int, str]] = []
        self.served = served
        self.send = send
        """Sends the call of that number, of as many as ``groups``."""
        self._config = config
        self._wire = WIRES[config.protocol]
        self._groups = groups
        self._arrived = arrived
        self._note = note
        # One round through all phases, so that as many texts as possible are asked.
        self._order = itertools.cycle(range(len(groups)))

    async def closed(self, seconds: float) -> Phase:
        """Keep ``config.in_flight`` calls under way; ``StropError`` if none is answered."""
        in_flight = self._config.in_flight
        self._note(f"closed loop, {in_flight} in flight, {seconds:.1f} s after warm-up")
        samples = await closed_loop(
            self.send,
            self._order,
            in_flight,
            seconds,
            warmup=self._config.warmup_seconds,
            max_calls=MAX_CALLS,
        )
        phase = self.phase(samples, "closed", in_flight=in_flight)
        if phase.summary.answered == 0:
            why = next((f"{o.detail} ({o.status})" for o in samples.outcomes), "no call ended in time")
            raise StropError(f"the server answered none of {phase.summary.calls} calls: {why}")
        return phase

    async def open(self, rate: float, seconds: float) -> Phase:
        """Offer ``rate`` texts a second, spaced by ``config.arrivals``."""
        config = self._config
        self._note(f"open loop, {rate:.1f} texts/s offered, {seconds:.1f} s")
        rate_of_calls = rate / config.texts_per_call
        times = arrivals(config.arrivals, rate_of_calls, seconds, config.seed, self._arrived)
        # In a trace each text keeps its place, so every phase begins with the first.
        order = itertools.cycle(range(len(self._groups))) if config.arrivals == "trace" else self._order
        samples = await open_loop(self.send, order, times, seconds)
        return self.phase(samples, "open", offered=rate)

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
                self.answers += zip(call, reply.labels, strict=True)
                stages += [reply.stages] if reply.stages else []
        if set(summary.errors) == {"UNAVAILABLE"} and not summary.answered:
            raise StropError(f"the server went away: {samples.outcomes[0].detail}")
        failure = judge(summary, slo) if loop == "open" else None
        return Phase(loop, in_flight, offered, summary, median_stages(stages), failure)
