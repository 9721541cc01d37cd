"""Whether what comes, and what is answered, is still like the texts that the model was judged by."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable

import numpy as np
from prometheus_client import CollectorRegistry, Gauge

from strop.export.bundle import Profiler

from ..core import Answer, Query
from ..inference.model import Model
from .distances import HELD_OUT, MODEL, SERVED
from .windows import WINDOWS, SlidingCounts

PUBLISH_SECONDS = 2.0


class Drift:
    """Counts every answer into the histograms of its model; called on the event loop."""

    def __init__(self, registry: CollectorRegistry, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._held_out = Gauge(
            HELD_OUT,
            "Held-out inputs by bin, from the bundle",
            [*MODEL, "bin"],
            registry=registry,
            multiprocess_mode="livemax",
        )
        self._served = Gauge(
            SERVED,
            "Inputs of the last minutes and of the last hour by bin",
            [*MODEL, "window", "bin"],
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._models: dict[tuple[str, str], Watched] = {}

    def answered(self, model: Model, query: Query, answer: Answer) -> None:
        """Count an answer of a model whose bundle has a profile to compare with."""
        if not model.profile:
            return
        watched = self._models.get((model.name, model.version))
        if watched is None or watched.model is not model:
            watched = self._models[model.name, model.version] = self._watch(model)
        watched.profiler.count(answer.encoded, answer.outputs, watched.counts.now())

    def publish(self) -> None:
        """Write the windows down for whoever shows the page; what is no longer served is let go."""
        self._models = {
            key: watched for key, watched in self._models.items() if not watched.model.instances.closed
        }
        for watched in self._models.values():
            watched.publish(self._served)

    def _watch(self, model: Model) -> "Watched":
        watched = Watched(model, self._clock)
        for histogram, bins in watched.profiler.bins.items():
            counts = model.profile.get(histogram, ())
            # A bundle whose labels or bins are others than ours says nothing of drift.
            if len(counts) == len(bins):
                for name, count in zip(bins, counts, strict=True):
                    self._held_out.labels(model.name, model.version, histogram, name).set(count)
        return watched


class Watched:
    """A model and what came to it."""

    def __init__(self, model: Model, clock: Callable[[], float]) -> None:
        self.model = model
        self.profiler = Profiler(model.task, model.labels, model.encoder)
        self.counts = SlidingCounts(len(self.profiler.empty()), clock)
        self._names = [(histogram, name) for histogram, bins in self.profiler.bins.items() for name in bins]
        self._told = {window: np.full(len(self._names), -1) for window in WINDOWS}

    def publish(self, gauge: Gauge) -> None:
        """Set what has changed since the last time."""
        for window, told in self._told.items():
            counts = self.counts.over(window)
            for place in np.flatnonzero(counts != told).tolist():
                histogram, name = self._names[place]
                labels = self.model.name, self.model.version, histogram, window, name
                gauge.labels(*labels).set(counts[place])
            self._told[window] = counts


@contextlib.asynccontextmanager
async def watched(registry: CollectorRegistry) -> AsyncIterator[Drift]:
    """Count, and publish every few seconds, while the block runs."""
    drift = Drift(registry)
    publisher = asyncio.create_task(_publish(drift))
    try:
        yield drift
    finally:
        publisher.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await publisher


async def _publish(drift: Drift) -> None:
    while True:
        await asyncio.sleep(PUBLISH_SECONDS)
        drift.publish()
