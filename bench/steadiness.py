"""Whether a stretch of load was steady: a latency that drifts, and calls far outside the others."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .pacing import FloatArray

WINDOWS = 20
"""Into how many stretches of equal time a phase is cut to see a trend."""
LEAST_CALLS = 10
"""In each window; fewer windows are made of fewer calls."""
LEAST_WINDOWS = 5
SIGNIFICANCE = 0.01
LEAST_CHANGE = 0.1
"""A trend that changes the latency by less is no news, however sure it is."""
FENCE = 3.0
MOST_SHARE = 0.01


@dataclass(frozen=True)
class Drift:
    """A trend of the latency over the time of a phase."""

    change: float
    """From the beginning to the end, as a share of the median over all windows."""
    p_value: float
    """How likely such a trend would be if there were none."""

    @property
    def matters(self) -> bool:
        """Whether it is both sure and large enough to tell."""
        return self.p_value < SIGNIFICANCE and abs(self.change) > LEAST_CHANGE

    def __str__(self) -> str:
        return f"the median latency drifted by {self.change:+.0%} (Mann-Kendall, p = {self.p_value:.1g})"


@dataclass(frozen=True)
class Outliers:
    """Calls that took far longer than the others."""

    count: int
    fence: float
    """Seconds beyond which a call counts as one."""

    def __str__(self) -> str:
        return f"calls far outside the others, above {self.fence * 1e3:.0f} ms: {self.count}"


def drift(times: FloatArray, latency: FloatArray) -> Drift | None:
    """The trend of the median latency over windows of time; ``None`` of too few calls.

    ``times``: when each call was meant to go, in order; both of shape [calls].
    """
    windows = min(WINDOWS, len(times) // LEAST_CALLS)
    if windows < LEAST_WINDOWS:
        return None
    bounds = np.linspace(times[0], times[-1], windows + 1)[1:-1]
    parts = np.split(latency, np.searchsorted(times, bounds))
    return trend([float(np.median(part)) for part in parts if len(part)])


def trend(values: Sequence[float]) -> Drift | None:
    """The trend of figures in the order of time, at least five; ``None`` of fewer.

    Whether there is one: Mann-Kendall's test, S = Σ sign(x_j - x_i) over i < j, normal with the variance
    for ties and the continuity correction (Kendall, Rank Correlation Methods, 1975, chapter 4). How
    large: the median of all slopes (Sen, J. Am. Stat. Assoc. 63, 1968) times the number of steps.
    """
    x = np.asarray(values, dtype=np.float64)
    n, middle = len(x), float(np.median(x)) if len(x) else 0.0
    if n < LEAST_WINDOWS or middle == 0.0:
        return None
    early, late = np.triu_indices(n, k=1)
    rises = x[late] - x[early]
    score = float(np.sign(rises).sum())
    _, ties = np.unique(x, return_counts=True)
    variance = (n * (n - 1) * (2 * n + 5) - float((ties * (ties - 1) * (2 * ties + 5)).sum())) / 18
    z = max(0.0, abs(score) - 1) / math.sqrt(variance) if variance else 0.0
    slope = float(np.median(rises / (late - early)))
    return Drift(slope * (n - 1) / middle, math.erfc(z / math.sqrt(2)))


def outliers(latency: FloatArray) -> Outliers | None:
    """Calls above Tukey's outer fence, Q3 + 3 (Q3 - Q1), of the logarithms.

    ``None`` if there are none, or more than one in a hundred: that is a tail, and the p99 tells it.
    Latencies are skewed, their logarithms are nearly not; of a lognormal one call in a million is beyond
    (Tukey, Exploratory Data Analysis, 1977, section 2D).
    """
    if len(latency) < LEAST_WINDOWS * LEAST_CALLS:
        return None
    low, high = np.quantile(np.log(latency), [0.25, 0.75])
    fence = math.exp(high + FENCE * (high - low))
    beyond = int((latency > fence).sum())
    return Outliers(beyond, fence) if 0 < beyond <= MOST_SHARE * len(latency) else None
