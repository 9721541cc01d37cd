"""How sure a measured figure is: intervals of percentiles and of ratios, and the spread of repeats."""

import math
from collections.abc import Sequence
from statistics import mean, stdev

import numpy as np

from .pacing import FloatArray

CONFIDENCE = 0.95
RESAMPLES = 10_000
Interval = tuple[float | None, float | None]
"""Lower and upper bound; ``None`` for a bound that the samples are too few to give."""


def percentile_interval(values: FloatArray, percent: float, confidence: float = CONFIDENCE) -> Interval:
    """Two of ``values`` that hold the true percentile between them with that confidence.

    They are the samples of ``ranks``: no distribution is assumed, but that the samples are independent.
    Calls that wait in one queue are not quite, so the interval is the narrowest that can be claimed.
    """
    low, high = ranks(len(values), percent / 100.0, confidence)
    places = [rank - 1 for rank in (low, high) if rank is not None]
    ordered = np.partition(values, places) if places else values
    return (
        None if low is None else float(ordered[low - 1]),
        None if high is None else float(ordered[high - 1]),
    )


def ranks(count: int, share: float, confidence: float = CONFIDENCE) -> tuple[int | None, int | None]:
    """The order statistics, counted from 1, between which the quantile at ``share`` lies.

    How many of n independent samples are below the quantile is B ~ Binomial(n, share), so the largest l
    with P(B ≤ l - 1) ≤ α / 2 and the smallest u with P(B ≤ u - 1) ≥ 1 - α / 2, α = 1 - confidence, have
    P(X(l) ≤ quantile ≤ X(u)) ≥ confidence (David and Nagaraja, Order Statistics, 2003, section 7.1). A
    p99 has an upper bound from 368 samples on.
    """
    if not count:
        return None, None
    spread = 12.0 * math.sqrt(count * share * (1 - share)) + 12.0
    first = max(0, math.floor(count * share - spread))
    last = min(count, math.ceil(count * share + spread))
    below = np.cumsum(_binomial(count, share, first, last))
    tail = (1 - confidence) / 2
    low = first + int(np.searchsorted(below, tail, side="right"))
    high = first + 1 + int(np.searchsorted(below, 1 - tail, side="left"))
    return (low if low >= 1 else None), (high if high <= count else None)


def _binomial(count: int, share: float, first: int, last: int) -> FloatArray:
    """P(B = k) for each k of ``first`` to ``last``, by the ratio of one to the next."""
    k = np.arange(first, last, dtype=np.float64)
    steps = np.log((count - k) / (k + 1)) + math.log(share / (1 - share))
    start = (
        math.lgamma(count + 1)
        - math.lgamma(first + 1)
        - math.lgamma(count - first + 1)
        + first * math.log(share)
        + (count - first) * math.log1p(-share)
    )
    probabilities: FloatArray = np.exp(start + np.concatenate([[0.0], np.cumsum(steps)]))
    return probabilities


def variation(values: Sequence[float]) -> float | None:
    """The coefficient of variation: standard deviation (n - 1) over mean; ``None`` of fewer than two."""
    if len(values) < 2 or not mean(values):
        return None
    return stdev(values) / mean(values)


def mean_ratio(
    over: Sequence[float], under: Sequence[float], seed: int = 0, confidence: float = CONFIDENCE
) -> tuple[float, tuple[float, float]]:
    """The geometric mean of ``over / under`` pair by pair, all above 0, and its interval.

    The interval is the percentile bootstrap over the pairs (Efron and Tibshirani, An Introduction to the
    Bootstrap, 1993, chapter 13). Pairs measured one right after the other share the machine's mood, so
    it is the ratios that are drawn again, never the two sides apart.
    """
    logs = np.log(np.asarray(over, dtype=np.float64) / np.asarray(under, dtype=np.float64))
    drawn = np.random.default_rng(seed).integers(len(logs), size=(RESAMPLES, len(logs)))
    means = logs[drawn].mean(axis=1)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(np.exp(logs.mean())), (float(np.exp(low)), float(np.exp(high)))
