"""How far the texts that come are from those a model was judged by: worked out where the page is shown."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric

from .divergence import shannon_distance, stability_by_chance, stability_index

MODEL = ["model", "version", "of"]
HELD_OUT, SERVED = "strop_profile_inputs", "strop_window_inputs"
"""The histograms that are compared, which add up over worker processes where a distance would not."""
BY_CHANCE = "What strop_drift_psi exceeds once in 1,000 looks although nothing has changed"


Read = Callable[[], Iterable[Metric]]
"""Gives the histograms, added up over all processes."""


class Distances:
    """Compares the histograms whenever the page is read, in the process that shows it."""

    def __init__(self, read: Read) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """What the page shows, as prometheus_client asks a collector."""
        labels = [*MODEL, "window"]
        families = {
            name: GaugeMetricFamily(name, text, labels=labels)
            for name, text in (
                ("strop_drift_psi", "Population stability index against the held-out texts"),
                ("strop_drift_psi_by_chance", BY_CHANCE),
                ("strop_drift_js_distance", "Jensen-Shannon distance from the held-out texts, 0 to 1"),
                ("strop_drift_inputs", "Inputs that were compared"),
            )
        }
        held_out, served = self._histograms()
        for key, bins in served.items():
            reference = held_out.get(key[:3])
            if reference is None or not sum(bins.values()):
                continue
            ours, theirs = _aligned(reference, bins)
            for family, value in zip(
                families.values(),
                (
                    stability_index(ours, theirs),
                    stability_by_chance(ours, theirs),
                    shannon_distance(ours, theirs),
                    float(theirs.sum()),
                ),
                strict=True,
            ):
                family.add_metric(key, value)
        yield from families.values()

    def _histograms(self) -> tuple[Mapping[tuple[str, ...], Mapping[str, int]], ...]:
        found: dict[str, dict[tuple[str, ...], dict[str, int]]] = {
            HELD_OUT: defaultdict(dict),
            SERVED: defaultdict(dict),
        }
        for metric in self._read():
            for sample in metric.samples if metric.name in found else ():
                names = MODEL if metric.name == HELD_OUT else [*MODEL, "window"]
                key = tuple(sample.labels[name] for name in names)
                found[metric.name][key][sample.labels["bin"]] = int(sample.value)
        return found[HELD_OUT], found[SERVED]


def _aligned(
    reference: Mapping[str, int], bins: Mapping[str, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    names = sorted(reference.keys() | bins.keys())
    ours, theirs = (np.array([one.get(name, 0) for name in names]) for one in (reference, bins))
    return ours, theirs


def show_distances(registry: CollectorRegistry) -> None:
    """Show them on the page of the one process that serves."""
    registry.register(Distances(lambda: registry.restricted_registry([HELD_OUT, SERVED]).collect()))
