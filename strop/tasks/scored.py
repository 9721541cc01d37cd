"""What tasks have in common whose labels are numbers: how one is read, how well answers go with them."""

import math
from collections.abc import Sequence

import numpy as np

from .counted import ratio
from .task import Example, Tally

ROUNDING = 1e-12
PARTS = 11
"""Columns of ``correlation_tally``."""


def read_number(value: object) -> float:
    """A finite number as it stands in a row; ``ValueError`` says what is wrong with it and what to do."""
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise TypeError
        number = float(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"is {value!r:.60}; give a number") from error
    if not math.isfinite(number):
        raise ValueError(f"is {value!r:.60}; give a finite number")
    return number


def scores_of(examples: Sequence[Example]) -> Tally:
    """Their labels [n]."""
    return np.array([example.label for example in examples], dtype=np.float64)


def correlation_tally(found: Tally, true: Tally) -> Tally:
    """The moments of numbers [n] and of their ranks, [n, ``PARTS``]."""
    return np.concatenate((_moments(found, true), _moments(_ranks(found), _ranks(true))[:, 1:]), axis=1)


def correlations(totals: Tally) -> dict[str, Tally]:
    """``spearman`` and ``pearson`` [...], the correlation of ranks and of values, 0 where one of them is
    constant, from sums of ``correlation_tally`` [..., ``PARTS``].
    """
    ranks = np.concatenate((totals[..., :1], totals[..., 6:]), axis=-1)
    return {"spearman": _correlation(ranks), "pearson": _correlation(totals[..., :6])}


def _moments(x: Tally, y: Tally) -> Tally:
    """1, x, y, x², y² and xy of each, [n, 6], centred: correlations don't mind, and sums stay exact."""
    x, y = x - x.mean(), y - y.mean()
    return np.stack((np.ones_like(x), x, y, x * x, y * y, x * y), axis=-1)


def _correlation(sums: Tally) -> Tally:
    """Pearson's coefficient [...] from sums of ``_moments`` [..., 6]."""
    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    return ratio(n * xy - x * y, np.sqrt(_spread(n, x, xx) * _spread(n, y, yy)))


def _spread(n: Tally, x: Tally, xx: Tally) -> Tally:
    """n² times the variance; 0 where only rounding is left of it."""
    spread = n * xx - x * x
    return np.where(spread > ROUNDING * n * xx, spread, 0.0)


def _ranks(values: Tally) -> Tally:
    """1 for the smallest; equal ones share the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse], dtype=np.float64)
