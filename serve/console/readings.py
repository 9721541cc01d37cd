"""What a registry says at one moment, and how far it went on between two of them."""

from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from prometheus_client.registry import Collector

Labels = tuple[tuple[str, str], ...]
Group = tuple[str, ...]
"""The values of the labels that something is told by."""
Buckets = list[tuple[float, float]]
"""Upper bounds and how many observations were at most as large, rising in both."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The value of every series, in the order in which the reader first met them."""

    seconds: float
    """When, by the monotonic clock."""
    values: "array[float]"


class Reader:
    """Reads a registry again and again. A reading takes 8 bytes a series, so that many can be kept."""

    def __init__(self, registry: CollectorRegistry | Collector) -> None:
        self._registry = registry
        self._places: dict[str, dict[Labels, int]] = defaultdict(dict)
        """Of every series by its name; none ever goes away."""
        self._count = 0

    def read(self, seconds: float) -> Reading:
        """What it says now, at ``seconds``."""
        values = array("d", bytes(8 * self._count))
        for metric in self._registry.collect():
            for name, labels, value, *_ in metric.samples:
                places, key = self._places[name], tuple(labels.items())
                if (place := places.get(key)) is None:
                    place = places[key] = self._count
                    self._count += 1
                    values.append(0.0)
                values[place] = value
        return Reading(seconds, values)

    def series(self, name: str) -> Mapping[Labels, int]:
        """The places of a name's series."""
        return self._places.get(name, {})


class Span:
    """From one reading to a later one of the same reader."""

    def __init__(self, reader: Reader, earlier: Reading, later: Reading) -> None:
        self._reader = reader
        self._earlier, self._later = earlier.values, later.values
        self.seconds = max(later.seconds - earlier.seconds, 1e-9)

    def now(self, name: str, *by: str) -> dict[Group, float]:
        """The values of gauges at its end, summed by these labels."""
        found: dict[Group, float] = defaultdict(float)
        for labels, place in self._present(name):
            found[_group(dict(labels), by)] += self._later[place]
        return found

    def grown(self, name: str, *by: str) -> dict[Group, float]:
        """By how much counters grew in it, summed by these labels."""
        found: dict[Group, float] = defaultdict(float)
        for labels, place in self._present(name):
            found[_group(dict(labels), by)] += self._growth(place)
        return found

    def buckets(self, name: str, *by: str) -> dict[Group, Buckets]:
        """What histograms observed in it, summed by these labels; ``name`` is that of the family."""
        found: dict[Group, dict[float, float]] = defaultdict(lambda: defaultdict(float))
        for labels, place in self._present(f"{name}_bucket"):
            of = dict(labels)
            found[_group(of, by)][float(of["le"])] += self._growth(place)
        return {group: sorted(counts.items()) for group, counts in found.items()}

    def mean(self, name: str, *by: str) -> dict[Group, float | None]:
        """The mean of what histograms observed in it; None where that is nothing."""
        counts, sums = self.grown(f"{name}_count", *by), self.grown(f"{name}_sum", *by)
        return {group: sums[group] / count if count else None for group, count in counts.items()}

    def _present(self, name: str) -> Iterator[tuple[Labels, int]]:
        # The page's threads may have met new series since.
        last = len(self._later)
        return (
            (labels, place) for labels, place in list(self._reader.series(name).items()) if place < last
        )

    def _growth(self, place: int) -> float:
        return self._later[place] - (self._earlier[place] if place < len(self._earlier) else 0.0)


def quantile(buckets: Buckets, share: float) -> float | None:
    """The value that ``share`` of the observations don't exceed, in the histogram's unit; None of none.

    Linear within a bucket, as Prometheus' histogram_quantile: https://prometheus.io/docs/prometheus/latest/
    querying/functions/#histogram_quantile; beyond the last bound it is that bound.
    """
    total = buckets[-1][1] if buckets else 0.0
    if total <= 0:
        return None
    rank, low, below = share * total, 0.0, 0.0
    for bound, count in buckets:
        if count >= rank and count > below:
            return low if bound == float("inf") else low + (bound - low) * (rank - below) / (count - below)
        low, below = (bound if bound != float("inf") else low), count
    return low


def _group(labels: Mapping[str, str], by: tuple[str, ...]) -> Group:
    return tuple(labels.get(name, "") for name in by)
