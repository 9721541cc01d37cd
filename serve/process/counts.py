"""What all workers counted, in files that outlive them."""

import contextlib
import struct
import time
from collections.abc import Iterable
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.core import Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from strop.errors import InputError

from ..console.gathered import gathered, state_file
from ..console.state import State
from ..observe.distances import Distances

# A file that has just been made is empty, and can't be read: for microseconds, on a busy machine for more.
READS, READ_PAUSE_SECONDS = 5, 0.01
WORKER_BYTES = 2**20
"""A worker's files of counts: a few times what those of a model take."""


class Counts:
    """What all workers counted, added up.

    Prometheus' own multi-process mode: asking the workers instead would lose what one of them
    counted between the last page and its death.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.registry = CollectorRegistry()
        self.registry.register(self)
        self.registry.register(Distances(lambda: self._read("gauge_live*.db")))
        self._ready = Gauge("strop_workers_ready", "Workers that answer", registry=self.registry)
        self._deaths = Counter("strop_worker_deaths", "Workers that died", registry=self.registry)

    def collect(self) -> Iterable[Metric]:
        """All of it, as prometheus_client asks a collector."""
        return self._read("*.db")

    def require_room(self, workers: int) -> None:
        """Raise ``InputError`` unless the folder can hold what so many workers count.

        A file that can't grow any more would end a worker in the middle of a call, and one without
        room behind it by a signal.
        """
        probe = self.folder / "probe"
        try:
            probe.write_bytes(bytes(workers * WORKER_BYTES))
            probe.unlink()
        except OSError as error:
            raise InputError(
                f"{self.folder} can't hold what {workers} workers count: {error.strerror}; make room there,"
                " or set TMPDIR to another folder"
            ) from error

    def texts(self) -> float:
        """How many all workers have answered, those that died too."""
        return sum(
            float(sample.value)
            for metric in self._read("counter_*.db")
            for sample in metric.samples
            if sample.name == "strop_texts_total"
        )

    def state(self) -> State:
        """How those that live are."""
        return gathered(self.folder)

    def ready(self) -> None:
        """A worker answers."""
        self._ready.inc()

    def died(self, number: int) -> None:
        """Forget what the dead worker was doing, but not what it did."""
        self._ready.dec()
        self._deaths.inc()
        mark_process_dead(number, str(self.folder))
        state_file(self.folder, number).unlink(missing_ok=True)

    def _read(self, pattern: str) -> list[Metric]:
        """What the files add up to; read again if one was caught while it was made."""
        for _ in range(READS):
            with contextlib.suppress(struct.error):
                return self._merged(pattern)
            time.sleep(READ_PAUSE_SECONDS)
        return self._merged(pattern)

    def _merged(self, pattern: str) -> list[Metric]:
        return list(MultiProcessCollector.merge([str(file) for file in self.folder.glob(pattern)]))
