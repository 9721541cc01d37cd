"""How long texts are: a distribution of token counts, as the command line spells it."""

import math
from dataclasses import dataclass
from statistics import NormalDist

from strop.errors import InputError

FORMS = "fixed:32, uniform:8:64 or lognormal:median=20,p99=128"


@dataclass(frozen=True)
class Uniform:
    """Every count from ``low`` to ``high`` alike."""

    low: int
    high: int

    @property
    def least(self) -> int:
        """What must not be too few for a text."""
        return self.low

    @property
    def most(self) -> int:
        """What must not be too many for the model."""
        return self.high

    def quantile(self, share: float) -> int:
        """The count that this share of the texts, in (0, 1), don't exceed."""
        return min(self.high, self.low + math.floor(share * (self.high - self.low + 1)))


@dataclass(frozen=True)
class LogNormal:
    """A normal distribution of the count's logarithm, as lengths of real texts often nearly are.

    ln count ~ N(ln median, sigma), and sigma = ln(p99 / median) / z, with z = 2.326 the standard normal's
    99th percentile.
    """

    median: float
    p99: float

    @property
    def least(self) -> int:
        """As above; shorter ones are few, and are lengthened."""
        return round(self.median)

    @property
    def most(self) -> int:
        """As above; longer ones are few, and are cut."""
        return round(self.p99)

    def quantile(self, share: float) -> int:
        """As above."""
        normal = NormalDist()
        sigma = math.log(self.p99 / self.median) / normal.inv_cdf(0.99)
        return round(self.median * math.exp(sigma * normal.inv_cdf(share)))


Lengths = Uniform | LogNormal


def parse_lengths(text: str) -> Lengths:
    """Read ``--lengths``; ``InputError`` with what it may be."""
    kind, _, rest = text.partition(":")
    try:
        if kind == "fixed":
            return _in_order(text, Uniform(int(rest), int(rest)))
        if kind == "uniform":
            low, high = map(int, rest.split(":"))
            return _in_order(text, Uniform(low, high))
        if kind == "lognormal":
            named = dict(part.split("=") for part in rest.split(","))
            median, p99 = float(named.pop("median")), float(named.pop("p99"))
            if not named:
                return _in_order(text, LogNormal(median, p99))
    except (KeyError, ValueError):
        pass
    raise InputError(f"--lengths {text}; give {FORMS}, in tokens")


def _in_order(text: str, lengths: Lengths) -> Lengths:
    low, high = (
        (lengths.low, lengths.high) if isinstance(lengths, Uniform) else (lengths.median, lengths.p99)
    )
    if not 1 <= low <= high < math.inf:
        raise InputError(f"--lengths {text}: tokens must be at least 1, and the second number no smaller")
    return lengths
