"""The batcher shared between threads: the loop admits, tokenisers put, engines take."""

import threading
from collections.abc import Callable, Sequence

from strop.export.bundle import Encoded

from ..core import Batch, Work
from .batcher import Batcher


class WorkQueue:
    """A ``Batcher`` under one lock, which is held only while it decides: microseconds."""

    def __init__(self, batcher: Batcher, clock: Callable[[], float]) -> None:
        self._batcher = batcher
        self._clock = clock
        self._changed = threading.Condition()
        self._idle = 0
        self._closed = False

    @property
    def texts(self) -> int:
        """Texts that wait."""
        return self._batcher.texts

    @property
    def tokens(self) -> int:
        """Tokens that wait."""
        return self._batcher.tokens

    def admit(self, work: Work) -> None:
        """``Batcher.admit``."""
        with self._changed:
            self._batcher.admit(work, work.arrived)

    def put(self, work: Work, encoded: Sequence[Encoded], sizes: Sequence[int]) -> None:
        """Queue a tokenised call and wake an engine; ignores one that was dropped meanwhile."""
        with self._changed:
            if not work.abandoned:
                work.encoded = encoded
                work.queued = self._clock()
                self._batcher.enqueue(work, sizes)
                self._changed.notify()

    def drop(self, work: Work) -> bool:
        """``Batcher.drop``; returns whether any text was still waiting."""
        if work.waiting_texts == 0:
            return False
        with self._changed:
            return self._batcher.drop(work)

    def take(self) -> tuple[Batch | None, list[Work]] | None:
        """Wait for work, then ``Batcher.take``; None once closed."""
        with self._changed:
            self._idle += 1
            try:
                while not self._batcher.has_work:
                    if self._closed:
                        return None
                    self._changed.wait()
                taken = self._batcher.take(self._clock(), self._idle)
            finally:
                self._idle -= 1
            if self._batcher.has_work:
                self._changed.notify()
            return taken

    def learn(self, batch: Batch, finished: float, answered: float) -> float:
        """Teach the forecast what a batch took; returns by how many seconds it was wrong."""
        with self._changed:
            forecast = self._batcher.forecast
            error = finished - batch.formed - forecast.seconds(batch.tokens)
            forecast.came(batch.tokens, answered - batch.formed)
            forecast.learn(batch.tokens, finished - batch.formed)
            return error

    def close(self) -> None:
        """Let ``take`` return None as soon as nothing waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
