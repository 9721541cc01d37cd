"""The engines run: one thread each takes a batch, computes it and hands the outcome on."""

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from strop.export.bundle import Layout, Session, told
from strop.tasks import Outputs, Task

from ..core import Batch, IntArray, Work
from ..scheduling.queue import WorkQueue

log = logging.getLogger(__name__)

WARM_UP_TOKENS = 32
WARM_UP_ROUNDS = 3


class Engine(Protocol):
    """What computes a batch, called from one thread."""

    @property
    def layout(self) -> Layout:
        """How it takes several texts at once."""
        ...

    def run(self, sequences: Sequence[IntArray]) -> Outputs:
        """The outputs for n sequences of tokens."""
        ...


class OnnxEngine:
    """One ONNX Runtime session that takes its batches in one layout."""

    def __init__(self, session: Session, layout: Layout, task: Task) -> None:
        self._session = session
        self._task = task
        self.layout = layout

    def run(self, sequences: Sequence[IntArray]) -> Outputs:
        """The outputs for n sequences of tokens, as far as they are told."""
        return told(self._session, self.layout, self._task, sequences)


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
    """A thread per engine that works the queue off until it is closed."""

    def __init__(
        self,
        engines: Sequence[Engine],
        queue: WorkQueue,
        deliver: Callable[[Outcome], None],
        clock: Callable[[], float],
        nice: int = 0,
    ) -> None:
        """``nice`` is added to the threads' niceness, so that who takes calls goes before them."""
        self._nice = nice
        self._queue = queue
        self._deliver = deliver
        self._clock = clock
        self._threads = [
            threading.Thread(target=self._loop, args=[engine], name=f"engine-{number}", daemon=True)
            for number, engine in enumerate(engines)
        ]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait for the threads to end once the queue is closed."""
        for thread in self._threads:
            thread.join()

    def _loop(self, engine: Engine) -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), os.nice(0) + self._nice)
        while (taken := self._queue.take()) is not None:
            batch, late = taken
            rows, failures = compute(engine, batch) if batch else ([], {})
            self._deliver(Outcome(batch, late, rows, failures, self._clock()))


def compute(engine: Engine, batch: Batch) -> tuple[Sequence[Outputs], Mapping[int, Exception]]:
    """The batch's rows and failures by share; when it fails as a whole, every share runs alone."""
    try:
        return _split(batch, engine.run(batch.sequences)), {}
    except Exception as error:
        log.exception("a batch failed", extra={"facts": {"texts": batch.texts}})
        if len(batch.shares) == 1:
            return [_NO_ROWS], {0: error}
    rows: list[Outputs] = []
    failures: dict[int, Exception] = {}
    for number, share in enumerate(batch.shares):
        alone, failed = compute(engine, Batch([share], batch.tokens, batch.formed))
        rows += alone
        if failed:
            failures[number] = failed[0]
    return rows, failures


def warm_up(engine: Engine, budget: int, max_tokens: int) -> list[tuple[int, float]]:
    """Run a longest text, a lone one and batches of ``budget`` tokens, some times over.

    The first runs of a graph allocate memory and pack weights; no caller should wait for that.
    Returns (tokens, seconds) of the later ones.
    """
    size = engine.layout.size
    length = min(WARM_UP_TOKENS, max_tokens)
    batches = [[max_tokens], [length], [length] * max(1, budget // size(length))]
    measured = []
    for number in range(WARM_UP_ROUNDS):
        for lengths in batches:
            sequences = [np.zeros(tokens, dtype=np.int64) for tokens in lengths]
            started = time.perf_counter()
            engine.run(sequences)
            if number:
                measured.append((sum(map(size, lengths)), time.perf_counter() - started))
    return measured


_NO_ROWS: Outputs = ()


def _split(batch: Batch, found: Outputs) -> list[Outputs]:
    """The rows of each share; ``ValueError`` when the engine gave another number of them."""
    if len(found) != batch.texts:
        raise ValueError(f"the engine gave {len(found)} rows for {batch.texts} texts")
    rows = []
    start = 0
    for share in batch.shares:
        stop = start + share.stop - share.start
        rows.append(found[start:stop])
        start = stop
    return rows
