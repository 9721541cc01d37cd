"""Who takes part: Strop's variants, and the rivals at their best setting; each started anew."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace

from ..accuracy import Accuracy, measure_accuracy
from ..config import BenchConfig
from ..loops import connected
from ..run import Measured, run
from ..search import Phase
from ..server_process import ServerProcess
from .setting import Setting

COMMON_SHARE = 1 / 4
"""Of a turn's time."""


@dataclass(frozen=True)
class Turn:
    """What a contender gave in one turn."""

    measured: Measured
    """The search for the rate that it sustains within the SLO."""
    common: Phase | None
    """At the rate that is offered to all; ``None`` where there is none."""
    accuracy: Accuracy | None
    """Of its answers in that search, by the texts' labels; ``None`` where they have none."""

    @property
    def phases(self) -> tuple[Phase, ...]:
        """All of them, in the order in which they ran."""
        return (*self.measured.phases, *([self.common] if self.common else []))


@dataclass(frozen=True)
class Contender:
    """A server that can be started, and is then driven as its ``BenchConfig`` says."""

    name: str
    title: str
    start: Callable[[], AbstractAsyncContextManager[BenchConfig]]
    settings: str
    """How it is set up."""
    requires: Sequence[str] = ()
    """What its environment was asked to hold."""
    alike: float = 1.0
    """The share of the texts checked that got our fp32 label."""
    tried: Sequence[tuple[str, float]] = ()
    """Each setting that was tried, with the texts a second that it answered within the SLO."""

    @property
    def best(self) -> float:
        """What the best of the settings tried answered within the SLO, in texts a second."""
        return max((rate for _, rate in self.tried), default=0.0)

    async def turn(self, setting: Setting, common: float | None) -> Turn:
        """Start it, search the rate that it sustains, offer it the ``common`` one, stop it."""
        served, texts, seconds = setting.served, setting.texts, setting.config.seconds
        async with self.start() as load:
            searched = replace(load, seconds=(1 - COMMON_SHARE) * seconds)
            measured = await run(searched, served, texts, check=lambda _: None, note=lambda _: None)
            phase = None
            if common:
                async with connected(load, served, texts) as calls:
                    phase = await calls.open(common, COMMON_SHARE * seconds)
        return Turn(measured, phase, measure_accuracy(served.task, texts.examples, measured.answers))


def common_rate(rivals: Sequence[Contender]) -> float | None:
    """Half of what the slowest answered within the SLO when tried, in texts a second.

    ``None`` where none answered any in time.
    """
    return min((rival.best for rival in rivals if rival.best), default=0.0) / 2 or None


def ours(setting: Setting, variant: str) -> Contender:
    """``strop serve`` with its defaults."""

    @asynccontextmanager
    async def start() -> AsyncIterator[BenchConfig]:
        words = ("--variant", variant, "--log-level", "warning")
        with ServerProcess(setting.config.bundle, *words) as server:
            yield setting.load(server.address, "typed")

    return Contender(f"Strop {variant}", f"strop serve, {variant}", start, "the defaults")
