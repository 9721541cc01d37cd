"""What serving costs while it runs: US dollars since the start, and per million queries answered."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from strop.cost import SECONDS_PER_HOUR, dollars_per_million

INTERVAL_SECONDS = 10.0
WINDOW_SECONDS = 300.0


class Spending:
    """A machine's price against the texts that all its workers answered.

    It belongs to the process that shows the page, because the machine is paid for once, however many
    workers it has and whether or not they live.
    """

    def __init__(
        self,
        dollars_per_hour: float,
        answered: Callable[[], float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._dollars_per_hour = dollars_per_hour
        self._answered = answered
        """Texts since the start."""
        self._clock = clock
        self._began = clock()
        self._marks = deque([(self._began, 0.0)])
        """(time, texts answered by then) at the start of the window and since."""

    def mark(self) -> None:
        """Remember how far it has come; to be called every few seconds."""
        now = self._clock()
        self._marks.append((now, self._answered()))
        # The first mark stays until the next one is old enough to begin the window.
        while self._marks[1][0] <= now - WINDOW_SECONDS:
            self._marks.popleft()

    def collect(self) -> Iterator[Metric]:
        """What the page shows, as prometheus_client asks a collector."""
        now, texts = self._clock(), self._answered()
        hourly = self._dollars_per_hour
        yield GaugeMetricFamily("strop_dollars_per_hour", "What the machine costs, as given", hourly)
        spent = hourly * (now - self._began) / SECONDS_PER_HOUR
        yield CounterMetricFamily("strop_dollars_spent", "US dollars since the start", spent)
        family = GaugeMetricFamily(
            "strop_dollars_per_million_queries",
            "US dollars per million texts answered, over the last minutes and since the start",
            labels=["over"],
        )
        # A page may be read while the event loop takes another mark.
        first = self._marks[0]
        for over, (began, before) in (("5m", first), ("start", (self._began, 0.0))):
            family.add_metric([over], self._per_million(now - began, texts - before))
        yield family

    def _per_million(self, seconds: float, texts: float) -> float:
        # Money was spent and nothing answered: no price is as high.
        if texts <= 0 or seconds <= 0:
            return float("inf")
        return dollars_per_million(self._dollars_per_hour, texts / seconds, 1.0)


@contextlib.asynccontextmanager
async def counted(
    registry: CollectorRegistry, dollars_per_hour: float | None, answered: Callable[[], float]
) -> AsyncIterator[None]:
    """Show the costs on the page of ``registry`` while the block runs; nothing without a price."""
    if dollars_per_hour is None:
        yield
        return
    spending = Spending(dollars_per_hour, answered)
    registry.register(spending)
    marker = asyncio.create_task(_mark(spending))
    try:
        yield
    finally:
        marker.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await marker


async def _mark(spending: Spending) -> None:
    while True:
        await asyncio.sleep(INTERVAL_SECONDS)
        spending.mark()
