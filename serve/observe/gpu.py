"""The GPU that serves: how busy it is, its memory, its power, and the energy of a query."""

import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from strop.cost import energy_dollars_per_million
from strop.nvml import Gpu, NvmlError, at_work, find_gpus

from .window import ALL, Window

log = logging.getLogger(__name__)

READINGS: Sequence[tuple[str, str, Callable[[Gpu], float]]] = (
    ("utilisation_ratio", "The share of the last second in which any kernel ran", Gpu.utilisation),
    ("memory_used_bytes", "GPU memory in use, by whatever program", lambda gpu: gpu.memory()[0]),
    ("memory_bytes", "GPU memory in all", lambda gpu: gpu.memory()[1]),
    ("power_watts", "What the GPU draws, without the rest of the machine", Gpu.watts),
)


class GpuMetrics:
    """What NVML tells of the GPUs that serve, each time the page is read.

    It belongs to the process that shows the page, as every worker would tell the same of one GPU.
    """

    def __init__(self, gpus: Sequence[Gpu], answered: Callable[[], float], tariff: float | None) -> None:
        """``answered`` tells the texts since the start; ``tariff`` is in US dollars per kilowatt-hour."""
        self._gpus = {str(gpu): gpu for gpu in gpus}
        self._tariff = tariff
        joules = {name: _told(Gpu.joules, gpu) for name, gpu in self._gpus.items()}
        self._joules = {name: value for name, value in joules.items() if value is not None}
        self.window = Window(lambda: (answered(), *self._read_joules()))

    def collect(self) -> Iterator[Metric]:
        """What the page shows, as prometheus_client asks a collector; left out what a GPU doesn't tell."""
        for name, help_text, read in READINGS:
            family = GaugeMetricFamily(f"strop_gpu_{name}", help_text, labels=["gpu"])
            for gpu_name, gpu in self._gpus.items():
                if (value := _told(read, gpu)) is not None:
                    family.add_metric([gpu_name], value)
            yield family
        if self._joules:
            yield from self._energy()

    def _read_joules(self) -> Iterable[float]:
        for name in self._joules:
            # A GPU that is lost stays at what it last told.
            if (value := _told(Gpu.joules, self._gpus[name])) is not None:
                self._joules[name] = value
        return self._joules.values()

    def _energy(self) -> Iterator[Metric]:
        stretches = dict(self.window.stretches())
        used = CounterMetricFamily("strop_gpu_joules", "Energy since the start", labels=["gpu"])
        for name, value in zip(self._joules, stretches[ALL][2:], strict=True):
            used.add_metric([name], value)
        each = GaugeMetricFamily(
            "strop_gpu_joules_per_query",
            "Its energy per text answered, idle time included, over the last minutes and since the start",
            labels=["over"],
        )
        dollars = GaugeMetricFamily(
            "strop_gpu_electricity_dollars_per_million_queries",
            "US dollars for that energy per million texts, by the tariff",
            labels=["over"],
        )
        for over, (_, texts, *joules) in stretches.items():
            # Energy was used and nothing answered: no share is as large.
            share = sum(joules) / texts if texts > 0 else float("inf")
            each.add_metric([over], share)
            if self._tariff is not None:
                dollars.add_metric([over], energy_dollars_per_million(share, self._tariff))
        yield from (used, each) if self._tariff is None else (used, each, dollars)


def _told(read: Callable[[Gpu], float], gpu: Gpu) -> float | None:
    try:
        return read(gpu)
    except NvmlError:
        return None


@contextlib.asynccontextmanager
async def metered(
    registry: CollectorRegistry,
    on_gpu: bool,
    pids: Sequence[int],
    answered: Callable[[], float],
    tariff: float | None,
) -> AsyncIterator[None]:
    """Show the GPUs on which ``pids`` compute on the page of ``registry`` while the block runs.

    Nothing unless a model is computed ``on_gpu`` when it begins; a warning where nobody can be asked.
    """
    metrics = _find(pids, answered, tariff) if on_gpu else None
    if metrics is None:
        if tariff is not None:
            log.warning("--tariff says nothing here: no GPU's energy can be read")
        yield
        return
    registry.register(metrics)
    async with metrics.window.marked():
        yield


def _find(pids: Sequence[int], answered: Callable[[], float], tariff: float | None) -> GpuMetrics | None:
    try:
        gpus = at_work(find_gpus(), pids, surely=True)
    except NvmlError as error:
        log.warning("no metrics of the GPU: %s", error)
        return None
    if not gpus:
        log.warning("no metrics of the GPU: NVML doesn't see on which this server computes")
        return None
    return GpuMetrics(gpus, answered, tariff)
