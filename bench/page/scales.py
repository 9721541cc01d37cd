"""Where a value stands on an axis, and which values the axis names."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

STEPS = (1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True)
class Scale:
    """From values between ``low`` and ``high`` to pixels between ``start`` and ``end``."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The pixel of a value; what lies outside stands at the edge."""
        inside = min(max(value, self.low), self.high)
        if self.log:
            share = math.log(inside / self.low) / math.log(self.high / self.low)
        else:
            share = (inside - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[float]:
        """A handful of round values: powers of ten of a logarithmic axis, and 2 and 5 if they are few."""
        if not self.log:
            return linear_ticks(self.low, self.high)
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        steps = STEPS[:3] if last - first <= 2 else STEPS[:1]
        named = [step * 10.0**power for power in range(first, last + 1) for step in steps]
        inside = [tick for tick in named if self.low * (1 - 1e-9) <= tick <= self.high * (1 + 1e-9)]
        return inside[:: 1 + len(inside) // 8]


def from_zero(values: Sequence[float], start: float, end: float) -> Scale:
    """A linear scale from 0 to a little above the highest."""
    return Scale(0.0, max(values, default=1.0) * 1.08 or 1.0, start, end)


def log_around(values: Sequence[float], start: float, end: float) -> Scale:
    """A logarithmic scale round values above 0, a factor wider on either side, at least a decade."""
    low, high = min(values) / 1.4, max(values) * 1.4
    if high < 10 * low:
        middle = math.sqrt(low * high)
        low, high = middle / math.sqrt(10), middle * math.sqrt(10)
    return Scale(low, high, start, end, log=True)


def linear_ticks(low: float, high: float, count: int = 5) -> list[float]:
    """At most ``count`` + 1 multiples of 1, 2 or 5 times a power of ten, from ``low`` to ``high``."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(one * power for one in STEPS if one * power >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [number * step for number in range(first, math.floor(high / step + 1e-9) + 1)]
