"""The highest rate that meets the SLO: which rate to try next, and what counts as meeting it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

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


def judge(summary: Summary, slo: float) -> str | None:
    """Why a phase does not show the SLO met (seconds, at p99, without an error), or ``None``."""
    if summary.errors:
        return ", ".join(f"{count} {status}" for status, count in summary.errors.items())
    p99 = summary.percentiles["p99"]
    if p99 is None:
        return f"{summary.answered} calls are too few for a p99; raise --seconds"
    if p99 > slo:
        return f"p99 {p99 * 1e3:.1f} ms"
    return None


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
