"""Demand over a day: how many machines it takes, and how much of them it uses."""

import math
from dataclasses import dataclass

HOURS = 24


@dataclass(frozen=True)
class Demand:
    """Queries per second in each hour of a day that comes again every day."""

    hourly: tuple[float, ...]

    def __post_init__(self) -> None:
        """Raise ``ValueError`` unless there are 24 rates, none negative and not all 0."""
        if len(self.hourly) != HOURS:
            raise ValueError(f"{len(self.hourly)} hourly rates; give {HOURS}")
        if min(self.hourly) < 0 or not 0 < max(self.hourly) < math.inf:
            raise ValueError("hourly rates are negative, infinite or all 0; give queries per second")

    @property
    def mean(self) -> float:
        """Queries per second on average."""
        return math.fsum(self.hourly) / HOURS

    @property
    def per_month(self) -> float:
        """Queries in 30 days."""
        return self.mean * 86400 * 30

    def machines(self, rate: float) -> int:
        """Machines that sustain ``rate`` queries per second each, so that the busiest hour is met.

        Load is taken to be spread evenly within the hour: a rate that was found at an SLO has its
        bursts in it already.
        """
        return max(1, math.ceil(max(self.hourly) / rate - 1e-9))

    def machine_hours(self, rate: float, *, elastic: bool) -> float:
        """Machine-hours a day: of machines that run all day, or ``elastic``, as many as each hour needs.

        One is always there.
        """
        if not elastic:
            return float(HOURS * self.machines(rate))
        return float(sum(max(1, math.ceil(one / rate - 1e-9)) for one in self.hourly))

    def utilisation(self, rate: float, *, elastic: bool) -> float:
        """The share of what those machines could answer that is asked, in (0, 1]."""
        return self.mean * HOURS / (self.machine_hours(rate, elastic=elastic) * rate)
