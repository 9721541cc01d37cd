"""Percentiles with their intervals, rates and errors of one phase: exact, over the raw samples."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .confidence import Interval, percentile_interval
from .energy import Energy
from .histogram import record
from .load import Samples
from .pacing import FloatArray
from .protocols import Stages
from .steadiness import Drift, Outliers, drift, outliers

PERCENTILES = (50.0, 90.0, 99.0, 99.9)
LAG_BOUND_SECONDS = 0.010
CPU_BOUND = 0.9


@dataclass(frozen=True)
class Summary:
    """One phase in numbers; times in seconds, rates in texts per second."""

    calls: int
    answered: int
    errors: Mapping[str, int]
    """Failed calls by gRPC status."""
    seconds: float
    """From the beginning of measuring until sending and the last call had both ended."""
    rate: float
    """Texts answered per second."""
    goodput: float
    """Texts answered within the SLO per second."""
    percentiles: Mapping[str, float | None]
    """``p50`` to ``p99.9`` of the answered calls; ``None`` where too few calls were answered."""
    intervals: Mapping[str, Interval]
    """The 95 % interval of each, as ``confidence.percentile_interval`` has it."""
    longest: float | None
    lag_p99: float | None
    """By how much the latest hundredth of the sends came after their intention."""
    client_cpu: float
    """CPU cores that the client used."""
    hdr: str
    """The latencies of the answered calls, as ``histogram.record`` encodes them."""
    drift: Drift | None = None
    outliers: Outliers | None = None
    energy: Energy | None = None
    """What the server's machine used, in joules by meter; ``None`` where none could be read."""

    @property
    def client_limited(self) -> str | None:
        """How the client, rather than the server, was the limit; ``None`` if it was not."""
        if (self.lag_p99 or 0.0) > LAG_BOUND_SECONDS:
            return f"its sends lagged {(self.lag_p99 or 0) * 1e3:.0f} ms behind at p99"
        if self.client_cpu > CPU_BOUND:
            return f"it kept {self.client_cpu:.2f} cores busy and can use one"
        return None


def percentile(values: FloatArray, percent: float) -> float | None:
    """The smallest sample that at least ``percent`` of all samples don't exceed (nearest rank).

    ``None`` when fewer than 100 / (100 - percent) samples would leave none above it: p99.9 needs
    1,000 samples, p99 needs 100.
    """
    if len(values) == 0 or len(values) * (100.0 - percent) < 100.0 - 1e-6:
        return None
    # Not numpy's own: its inverted_cdf makes the 1,000th of 99.9 % of 1,000 samples.
    rank = math.ceil(len(values) * percent / 100.0 - 1e-9)
    return float(np.partition(values, rank - 1)[rank - 1])


def summarise(samples: Samples, *, slo: float, texts_per_call: int) -> Summary:
    """The numbers of a phase; ``slo`` in seconds."""
    good = np.array([outcome.status == "OK" for outcome in samples.outcomes], dtype=np.bool_)
    latency = samples.latency[good]
    finish = float(samples.done.max()) if len(samples.done) else samples.end
    seconds = max(samples.end, finish) - samples.begin
    statuses = Counter(outcome.status for outcome in samples.outcomes if outcome.status != "OK")
    return Summary(
        calls=len(good),
        answered=len(latency),
        errors=dict(statuses.most_common()),
        seconds=seconds,
        rate=len(latency) * texts_per_call / seconds,
        goodput=int((latency <= slo).sum()) * texts_per_call / seconds,
        percentiles={f"p{percent:g}": percentile(latency, percent) for percent in PERCENTILES},
        intervals={f"p{percent:g}": percentile_interval(latency, percent) for percent in PERCENTILES},
        longest=float(latency.max()) if len(latency) else None,
        lag_p99=percentile(samples.lag, 99.0),
        client_cpu=samples.client_cpu,
        hdr=record(latency),
        drift=drift(samples.intended[good], latency),
        outliers=outliers(latency),
        energy=samples.energy,
    )


def median_stages(stages: Sequence[Stages]) -> Stages | None:
    """The median of each stage on its own, so they needn't add up to the total."""
    if not stages:
        return None
    table = np.array([(s.tokenise, s.queue, s.compute, s.total) for s in stages])
    return Stages(*np.median(table, axis=0).tolist())
