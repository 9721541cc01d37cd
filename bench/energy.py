"""Energy: what counters say of a stretch of load, and so what a query took."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

from strop.cost import energy_dollars_per_million, joules_per_query, kwh_per_million

IDLE_SECONDS = 3.0
"""How long the idle server is metered before any load."""
POLL_SECONDS = 60.0
"""A counter is read at least so often: RAPL's may have only 65 kJ before it starts again from 0."""

Counter = Callable[[], float]
"""Joules since some moment of its own; never less than before."""
Result = TypeVar("Result")


@dataclass(frozen=True)
class Energy:
    """What was counted over a stretch of time."""

    seconds: float
    joules: Mapping[str, float]
    """By meter."""

    @property
    def watts(self) -> float:
        """The mean power of all meters together."""
        return sum(self.joules.values()) / self.seconds

    def then(self, later: Self) -> "Energy":
        """Both stretches together."""
        joules = {name: count + later.joules[name] for name, count in self.joules.items()}
        return Energy(self.seconds + later.seconds, joules)


@dataclass(frozen=True)
class QueryEnergy:
    """What a query took, in joules."""

    joules: float
    """Its share of all that was used, the idle power included."""
    marginal: float | None
    """Its share of what was used above idle: what one more query takes. ``None`` if the machine took no
    more under load than before, so that it can't have been idle."""

    @property
    def kwh_per_million(self) -> float:
        """Of a million queries, in kilowatt-hours."""
        return kwh_per_million(self.joules)

    def dollars_per_million(self, tariff: float) -> float:
        """US dollars for a million queries at ``tariff`` US dollars a kilowatt-hour."""
        return energy_dollars_per_million(self.joules, tariff)

    @classmethod
    def of(cls, energy: Energy, rate: float, idle: Energy) -> Self:
        """At ``rate`` queries a second, by the power under that load and without one.

        (energy - idle power x time) / queries, as powers over a rate: the load is steady, so that
        neither needs to begin with a call or to end with one.
        """
        above = energy.watts - idle.watts
        whole = joules_per_query(energy.watts, rate)
        return cls(whole, joules_per_query(above, rate) if above > 0 else None)


@dataclass(frozen=True)
class Meters:
    """The counters that can be read here."""

    counters: Mapping[str, Counter] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    """Why others can't be."""

    def and_also(self, others: Self) -> "Meters":
        """These and others."""
        return Meters({**self.counters, **others.counters}, self.missing + others.missing)

    async def idle(self) -> Energy | None:
        """What is used without a load; ``None``, at once, where there is no counter."""
        if not self.counters:
            return None
        _, energy = await self.during(asyncio.sleep(IDLE_SECONDS), after=0.0, seconds=IDLE_SECONDS)
        return energy

    async def during(
        self, work: Coroutine[Any, Any, Result], *, after: float, seconds: float
    ) -> tuple[Result, Energy | None]:
        """What ``work`` gave, and what was used for ``seconds`` of it, ``after`` it had begun for so long.

        ``None`` without counters, and of work that ended before that.
        """
        if not self.counters:
            return await work, None
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait({task}, timeout=after)
            first = last = await self._read()
            while not task.done() and (left := seconds - (last[0] - first[0])) > 0:
                await asyncio.wait({task}, timeout=min(left, POLL_SECONDS))
                last = await self._read()
            return await task, _between(first, last)
        finally:
            task.cancel()

    async def _read(self) -> tuple[float, dict[str, float]]:
        # In a thread: a driver may take milliseconds, which calls under way must not wait for.
        return await asyncio.to_thread(
            lambda: (time.perf_counter(), {name: count() for name, count in self.counters.items()})
        )


NO_METERS = Meters()


def _between(
    first: tuple[float, Mapping[str, float]], last: tuple[float, Mapping[str, float]]
) -> Energy | None:
    seconds = last[0] - first[0]
    if seconds <= 0:
        return None
    return Energy(seconds, {name: count - first[1][name] for name, count in last[1].items()})
