"""A benchmark from its first call to its last: closed loop, open loops, repeats, soak."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import uvloop

from strop.errors import InputError

from .accuracy import Answers
from .clients import most_clients
from .columns import Columns
from .config import BenchConfig
from .energy import NO_METERS, Energy, Meters
from .loops import Load, connected
from .pacing import steps
from .protocols import Reply
from .search import FIRST_SHARE, Phase, search
from .served import Served
from .soak import Soak, soak
from .target import find
from .texts import Rows, Texts
from .trace import read_trace

CLOSED_SHARE = 1 / 3


@dataclass(frozen=True)
class Measured:
    """What a run of load gave."""

    first: Reply
    """The reply to the first call: which model, version and variant answers."""
    closed: Phase
    opened: tuple[Phase, ...]
    answers: Answers
    repeats: tuple[Phase, ...] = ()
    """More open loops at the rate of the sustained one."""
    soak: Soak | None = None
    clients: int = 1
    """Client processes."""
    idle: Energy | None = None
    """What the machine used before any load."""

    @property
    def phases(self) -> tuple[Phase, ...]:
        """All but the soak's, in the order in which they ran."""
        return (self.closed, *self.opened, *self.repeats)

    @property
    def repeated(self) -> tuple[Phase, ...]:
        """The sustained one and its repeats."""
        return (self.sustained, *self.repeats) if self.sustained else ()

    @property
    def sustained(self) -> Phase | None:
        """The open loop of the highest rate that met the SLO."""
        return sustained(self.opened)


def sustained(opened: Sequence[Phase]) -> Phase | None:
    """The phase of the highest rate that met the SLO."""
    met = [phase for phase in opened if phase.failure is None]
    return max(met, key=lambda phase: phase.summary.rate, default=None)


def prepare(config: BenchConfig) -> tuple[Served, Texts]:
    """What the server serves, and the texts to ask it about, read as its task wants them.

    Raises ``InputError`` for files that can't be read, before the server is asked anything, and for
    options or texts that don't fit its model; ``StropError`` if it can't be reached.
    """
    rows = Rows.read(config.texts) if config.texts else None
    arrived = read_trace(config.trace) if config.trace else rows.arrived if rows else ()
    if config.arrivals == "trace" and not arrived:
        raise InputError(
            f'--arrivals trace: --texts {config.texts} has no "arrived"; give each line one, or --trace'
        )
    served = uvloop.run(find(config))
    columns = Columns.of(
        served.task,
        len(served.inputs),
        text=config.text_column,
        pair=config.pair_column,
        label=config.label_column,
    )
    texts = rows.texts(columns) if rows else Texts((), ())
    if config.lengths:
        texts = _synthetic(config, config.lengths, texts, len(served.inputs))
    texts = replace(texts, arrived=arrived)
    if config.label_column and not any(texts.examples):
        raise InputError(f"--label-column {config.label_column}: no line of {config.texts} has it")
    return served, texts


def _synthetic(config: BenchConfig, lengths: str, given: Texts, parts: int) -> Texts:
    # Not at the top: a bundle needs ONNX Runtime, which a client can do without.
    from .synthetic import make_texts

    assert config.promise is not None  # noqa: S101
    folder = config.promise if config.promise.is_dir() else config.promise.parent
    texts = make_texts(folder, lengths, given.texts, parts, config.seed)
    return Texts(tuple(texts), (None,) * len(texts))


async def run(
    config: BenchConfig,
    served: Served,
    texts: Texts,
    *,
    meters: Meters = NO_METERS,
    check: Callable[[Reply], None],
    note: Callable[[str], None],
) -> Measured:
    """Drive the server of that model as ``config`` says, and meter its machine.

    ``check`` may refuse the reply to the first call, before any load; ``note`` hears of progress.
    Raises ``StropError`` if the server can't be reached or answers no call, ``InputError`` if it
    refuses the first.
    """
    clients = config.clients or 1
    note("the idle server's power")
    idle = await meters.idle()
    while True:
        one = replace(config, clients=clients)
        async with connected(one, served, texts, meters=meters, check=check, note=note) as load:
            closed = await load.closed(config.seconds * CLOSED_SHARE)
            limited = closed.summary.client_limited
            if config.clients or not limited or 2 * clients > most_clients(config.address):
                return replace(await _rest(one, load, closed), idle=idle)
        clients *= 2
        note(f"the client was the limit: {limited}; {clients} processes")


async def _rest(config: BenchConfig, load: Load, closed: Phase) -> Measured:
    """What comes after the closed loop."""
    seconds = config.seconds * (1 - CLOSED_SHARE)
    if config.ramp:
        rates = steps(*config.ramp)
        opened = [await load.open(rate, seconds / len(rates)) for rate in rates]
    else:
        opened = await search(
            load.decide,
            first=config.rate or FIRST_SHARE * closed.summary.rate,
            ceiling=config.rate or closed.summary.rate,
            seconds=seconds,
        )
    best = sustained(opened)
    rate = best.offered if best else None
    repeats = [await load.open(rate, seconds / 2) for _ in range(config.repeats - 1) if rate]
    long = await soak(load.open, config, rate) if rate and config.soak_seconds else None
    return Measured(
        load.first, closed, tuple(opened), load.answers, tuple(repeats), long, config.clients or 1
    )
