"""A benchmark from its first call to its last: warm-up, closed loop, open loops."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import uvloop

from strop.errors import InputError, StropError

from .accuracy import Answers
from .client import Client, Outcome
from .columns import Columns
from .config import MAX_CALLS, BenchConfig
from .discovery import discover
from .load import Samples, closed_loop, open_loop
from .pacing import arrivals
from .protocols import WIRES, Reply, Wire, read_reply
from .search import FIRST_SHARE, Phase, judge, search
from .served import Served
from .statistics import median_stages, summarise
from .texts import Texts, group, read_texts

CLOSED_SHARE = 1 / 3


@dataclass(frozen=True)
class Measured:
    """What a run of load gave."""

    first: Reply
    """The reply to the first call: which model, version and variant answers."""
    closed: Phase
    opened: tuple[Phase, ...]
    answers: Answers

    @property
    def phases(self) -> tuple[Phase, ...]:
        """All of them, in the order in which they ran."""
        return (self.closed, *self.opened)

    @property
    def sustained(self) -> Phase | None:
        """The open loop of the highest rate that met the SLO."""
        met = [phase for phase in self.opened if phase.failure is None]
        return max(met, key=lambda phase: phase.summary.rate, default=None)


def prepare(config: BenchConfig) -> tuple[Served, Texts]:
    """What the server serves, and the texts to ask it about, read as its task wants them.

    Raises ``InputError`` for options or texts that don't fit, ``StropError`` if the server can't be
    reached.
    """
    served = uvloop.run(_discover(config))
    columns = Columns.of(
        served.task,
        len(served.inputs),
        text=config.text_column,
        pair=config.pair_column,
        label=config.label_column,
    )
    texts = read_texts(config.texts, columns)
    if config.label_column and not any(texts.examples):
        raise InputError(f"--label-column {config.label_column}: no line of {config.texts} has it")
    return served, texts


async def _discover(config: BenchConfig) -> Served:
    async with Client(config.address, deadline=config.deadline) as client:
        return await discover(client, config.model, config.task)


async def run(
    config: BenchConfig,
    served: Served,
    texts: Texts,
    *,
    check: Callable[[Reply], None],
    note: Callable[[str], None],
) -> Measured:
    """Drive the server of that model as ``config`` says.

    ``check`` may refuse the reply to the first call, before any load; ``note`` hears of progress.
    Raises ``StropError`` if the server can't be reached or answers no call, ``InputError`` if it
    refuses the first.
    """
    async with connected(config, served, texts, check=check, note=note) as load:
        closed = await load.closed(config.seconds * CLOSED_SHARE)
        opened = await search(
            load.open,
            first=config.rate or FIRST_SHARE * closed.summary.rate,
            ceiling=config.rate or closed.summary.rate,
            seconds=config.seconds * (1 - CLOSED_SHARE),
        )
    return Measured(load.first, closed, tuple(opened), load.answers)


@asynccontextmanager
async def connected(
    config: BenchConfig,
    served: Served,
    texts: Texts,
    *,
    check: Callable[[Reply], None] = lambda _: None,
    note: Callable[[str], None] = lambda _: None,
) -> AsyncIterator["Load"]:
    """A load on the server at ``config.address``, which has answered one call; raises as ``run``."""
    wire = WIRES[config.protocol](served)
    trace = config.arrivals == "trace"
    groups = group(len(texts.texts), config.texts_per_call, None if trace else config.seed)
    async with Client(config.address, channels=config.channels, deadline=config.deadline) as client:
        requests = [wire.encode([texts.texts[number] for number in call]) for call in groups]
        first = await client.ask(wire, [texts.texts[number] for number in groups[0]])
        check(first)
        arrived, answers = texts.arrived[:: config.texts_per_call], Answers(served.task)

        async def send(number: int) -> Outcome:
            return await client.call(wire.method, requests[number])

        yield Load(config, wire, first, answers, groups, arrived, send, note)


class Load:
    """Runs phases against one server and keeps what it answered."""

    def __init__(
        self,
        config: BenchConfig,
        wire: Wire,
        first: Reply,
        answers: Answers,
        groups: Sequence[tuple[int, ...]],
        arrived: Sequence[float],
        send: Callable[[int], Awaitable[Outcome]],
        note: Callable[[str], None],
    ) -> None:
        self.first = first
        """The reply to the first call."""
        self.answers = answers
        self.send = send
        """Sends the call of that number, of as many as ``groups``."""
        self._config = config
        self._wire = wire
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
                for text, result in zip(call, reply.results, strict=True):
                    self.answers.add(text, result)
                stages += [reply.stages] if reply.stages else []
        if set(summary.errors) == {"UNAVAILABLE"} and not summary.answered:
            raise StropError(f"the server went away: {samples.outcomes[0].detail}")
        failure = judge(summary, slo) if loop == "open" else None
        return Phase(loop, in_flight, offered, summary, median_stages(stages), failure)
