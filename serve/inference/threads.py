"""The engines run: one thread each takes a batch, computes it and hands the outcome on."""

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from strop.tasks import Outputs

from ..core import Batch, Work
from ..engines.engine import compute
from ..engines.instances import Instances
from ..scheduling.queue import WorkQueue


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an engine thread has to tell: a computed batch, calls dropped as too late, or both."""

    batch: Batch | None
    late: Sequence[Work]
    rows: Sequence[Outputs]
    """By share of the batch: the outputs of its texts."""
    failures: Mapping[int, Exception]
    """By share: what the engine failed with although the share was computed alone."""
    finished: float


class EngineThreads:
    """A thread per instance that works the queue off until it is closed."""

    def __init__(
        self,
        instances: Instances,
        queue: WorkQueue,
        deliver: Callable[[Outcome], None],
        clock: Callable[[], float],
        nice: int = 0,
    ) -> None:
        """``nice`` is added to the threads' niceness, so that who takes calls goes before them."""
        self._instances = instances
        self._nice = nice
        self._queue = queue
        self._deliver = deliver
        self._clock = clock
        self._threads = [
            threading.Thread(target=self._loop, args=[number], name=f"engine-{number}", daemon=True)
            for number in range(len(instances))
        ]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait for the threads to end once the queue is closed."""
        for thread in self._threads:
            thread.join()

    def _loop(self, number: int) -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), os.nice(0) + self._nice)
        while (taken := self._queue.take()) is not None:
            batch, late = taken
            rows: Sequence[Outputs] = []
            failures: Mapping[int, Exception] = {}
            if batch:
                with self._instances.engine(number) as engine:
                    rows, failures = compute(engine, batch)
            self._deliver(Outcome(batch, late, rows, failures, self._clock()))
