"""What serving costs while it runs: US dollars since the start, and per million queries answered."""

import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from strop.cost import SECONDS_PER_HOUR, dollars_per_million

from .window import ALL, Window


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
        """``answered`` tells the texts since the start."""
        self._dollars_per_hour = dollars_per_hour
        self.window = Window(lambda: (answered(),), clock)

    def collect(self) -> Iterator[Metric]:
        """What the page shows, as prometheus_client asks a collector."""
        hourly = self._dollars_per_hour
        stretches = dict(self.window.stretches())
        yield GaugeMetricFamily("strop_dollars_per_hour", "What the machine costs, as given", hourly)
        spent = hourly * stretches[ALL][0] / SECONDS_PER_HOUR
        yield CounterMetricFamily("strop_dollars_spent", "US dollars since the start", spent)
        family = GaugeMetricFamily(
            "strop_dollars_per_million_queries",
            "US dollars per million texts answered, over the last minutes and since the start",
            labels=["over"],
        )
        for over, (seconds, texts) in stretches.items():
            family.add_metric([over], self._per_million(seconds, texts))
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
    async with spending.window.marked():
        yield
