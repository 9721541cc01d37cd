"""The highest rate that meets the SLO: which rate to try next, and what counts as meeting it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from .confidence import Interval
from .protocols import Stages
from .statistics import Summary

FIRST_SHARE = 0.7
"""The first rate tried, as a share of the closed loop's: near the knee, rarely past it."""
STEP_SHARES = (0.5, 0.25, 0.25)
"""How the open loop's time is split: half of it for the first rate, where it most often ends."""
RESOLUTION = 0.02


@dataclass(frozen=True)
class Phase:
    """One stretch of load and what came of it."""

    loop: str
    """``closed`` or ``open``."""
    in_flight: int | None
    """Calls kept in flight, closed loop only."""
    offered: float | None
    """Texts per second offered, open loop only."""
    summary: Summary
    stages: Stages | None
    """The median of each server stage; ``None`` where the server doesn't tell."""
    failure: str | None = None
    """Why an open loop did not meet the SLO; ``None`` if it did."""
    certain: bool = True
    """Whether the interval of its p99 lies on one side of the SLO."""

    @property
    def verdict(self) -> str | None:
        """Of an open loop: ``met``, ``missed`` or, where chance may have decided, ``undecided``."""
        if self.loop == "closed":
            return None
        return "undecided" if not self.certain else "met" if self.failure is None else "missed"


def too_many_errors(summary: Summary, max_errors: float) -> bool:
    """Whether more than that share of the calls failed."""
    return sum(summary.errors.values()) > max_errors * summary.calls


def judge(summary: Summary, slo: float, max_errors: float = 0.0) -> str | None:
    """Why a phase does not show the SLO met (seconds, at p99 of the answered calls), or ``None``.

    ``max_errors``: the share of the calls that may fail.
    """
    if too_many_errors(summary, max_errors):
        return ", ".join(f"{count} {status}" for status, count in summary.errors.items())
    p99 = summary.percentiles["p99"]
    if p99 is None:
        return f"{summary.answered} calls are too few for a p99; raise --seconds"
    if p99 > slo:
        return f"p99 {p99 * 1e3:.1f} ms"
    return None


def is_certain(summary: Summary, slo: float, max_errors: float = 0.0) -> bool:
    """Whether ``judge`` would say the same of the true p99, with 95 % confidence."""
    if too_many_errors(summary, max_errors):
        return True
    low, high = summary.intervals["p99"]
    return (high is not None and high <= slo) or (low is not None and low > slo)


def sustained_interval(phases: Sequence[Phase]) -> Interval:
    """The highest rate offered that surely met the SLO and the lowest that surely missed it.

    ``None`` where there is no such rate. The rate that can be sustained lies between the two.
    """
    met = [phase.offered for phase in phases if phase.verdict == "met" and phase.offered]
    missed = [phase.offered for phase in phases if phase.verdict == "missed" and phase.offered]
    return max(met, default=None), min(missed, default=None)


def next_rate(passed: Sequence[float], failed: Sequence[float], ceiling: float) -> float | None:
    """Half-way between the highest rate that passed (or 0) and the lowest that failed.

    ``ceiling`` stands for the lowest failure until there is one. ``None`` when the two lie within
    2 % of each other.
    """
    low, high = max(passed, default=0.0), min(failed, default=ceiling)
    return (low + high) / 2 if high - low > RESOLUTION * high else None


async def search(
    measure: Callable[[float, float], Awaitable[Phase]],
    *,
    first: float,
    ceiling: float,
    seconds: float,
    shares: Sequence[float] = STEP_SHARES,
) -> list[Phase]:
    """Bisect between 0 and ``ceiling`` texts a second, starting with ``first``, a step for each share.

    ``measure`` runs one open loop of a rate for some seconds. Each rate is tried once, so a step
    shows what happened, not what always would; the sustained rate is that of the best step.
    """
    phases: list[Phase] = []
    passed: list[float] = []
    failed: list[float] = []
    rate: float | None = first
    for share in shares:
        if rate is None:
            break
        phase = await measure(rate, share * seconds)
        phases.append(phase)
        (failed if phase.failure else passed).append(rate)
        rate = next_rate(passed, failed, ceiling)
    return phases
