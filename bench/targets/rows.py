"""A row of the table: a figure over the rounds, its spread, and whether it meets its target."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal


@dataclass(frozen=True)
class Target:
    """What a figure must be."""

    sense: Literal["at least", "at most", "below"]
    bound: float

    def met_by(self, figure: float) -> bool:
        """Whether ``figure`` is as the target wants it; what was not measured (NaN) is not."""
        if self.sense == "at least":
            return figure >= self.bound
        return figure <= self.bound if self.sense == "at most" else figure < self.bound

    def __str__(self) -> str:
        sign = {"at least": "≥", "at most": "≤", "below": "<"}[self.sense]
        return f"{sign} {self.bound:g}"


@dataclass(frozen=True)
class Row:
    """One figure; the median over the rounds is held against the target."""

    name: str
    values: Sequence[float]
    """One for each round, at least one; infinite where a call that counts was never answered."""
    target: Target | None = None
    """``None`` for a figure that only explains another."""
    unit: str = ""
    note: str = ""
    """How the figure is defined, where its name doesn't tell."""

    @property
    def figure(self) -> float:
        """The median of the rounds."""
        return math.nan if any(map(math.isnan, self.values)) else median(self.values)

    @property
    def spread(self) -> tuple[float, float]:
        """The lowest and the highest round."""
        return min(self.values), max(self.values)

    @property
    def met(self) -> bool | None:
        """Whether the target is met; ``None`` where there is none."""
        return None if self.target is None else self.target.met_by(self.figure)


def ratios(over: Sequence[float], under: Sequence[float]) -> list[float]:
    """``over / under`` round by round, so that what slows both doesn't show; 0 / 0 is NaN."""
    return [
        a / b if b else math.copysign(math.inf, a) if a else math.nan
        for a, b in zip(over, under, strict=True)
    ]


def untargeted(rows: Sequence[Row]) -> list[Row]:
    """The same figures for information only."""
    return [Row(row.name, row.values, None, row.unit, row.note) for row in rows]
