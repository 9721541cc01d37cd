"""The soak: a constant share of the sustained rate for long, and what changes meanwhile."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from . import histogram
from .config import BenchConfig
from .search import Phase
from .statistics import PERCENTILES
from .steadiness import Drift, trend

SLICES = 20
"""The soak's open loops, one after the other: each is summed up on its own and then forgotten."""


@dataclass(frozen=True)
class Soak:
    """Many open loops at one rate."""

    offered: float
    """Texts per second."""
    slices: tuple[Phase, ...]
    memory: tuple[int, ...]
    """The server's resident bytes after each slice; empty where no process was named."""

    @property
    def hdr(self) -> str:
        """The latencies of all slices, as ``histogram.merge`` has them."""
        return histogram.merge(phase.summary.hdr for phase in self.slices)

    @property
    def percentiles(self) -> Mapping[str, float | None]:
        """Of all slices together, in seconds."""
        whole = self.hdr
        return {f"p{percent:g}": histogram.percentile(whole, percent) for percent in PERCENTILES}

    @property
    def drifts(self) -> Mapping[str, Drift]:
        """How p50, p99 and memory went from slice to slice; what can't be told is left out."""
        series: dict[str, list[float]] = {
            name: [value for phase in self.slices if (value := phase.summary.percentiles[name])]
            for name in ("p50", "p99")
        } | {"memory": [float(size) for size in self.memory]}
        found = {name: trend(values) for name, values in series.items()}
        return {name: drift for name, drift in found.items() if drift}


async def soak(
    measure: Callable[[float, float], Awaitable[Phase]], config: BenchConfig, sustained: float
) -> Soak:
    """``config.soak_share`` of the sustained rate for ``config.soak_seconds``."""
    rate = config.soak_share * sustained
    slices, memory = [], []
    usage = None
    if config.server_pid:
        # Not at the top: psutil is an extra.
        from .serving.usage import Usage

        usage = Usage(config.server_pid)
    for _ in range(SLICES):
        slices.append(await measure(rate, config.soak_seconds / SLICES))
        if usage:
            memory.append(usage.resident_bytes)
    return Soak(rate, tuple(slices), tuple(memory))
