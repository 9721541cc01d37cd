"""The way of a call: admitted, tokenised, queued, computed, answered. All of it in domain terms."""

import asyncio
import time
from collections.abc import Callable, Sequence

from strop.export.bundle import Encoded

from .batcher import Batcher
from .core import Answer, Query, Work
from .encode import Encoder, Tokeniser
from .engine import Engine, EngineThreads, Outcome
from .errors import DeadlineExceededError, DrainingError, EngineError, InvalidArgumentError
from .metrics import Metrics
from .queue import WorkQueue


class Pipeline:
    """Answers calls on one event loop with its tokeniser and engine threads.

    The loop only ever waits for a call's future: threads hand over with
    ``call_soon_threadsafe``, once per batch.
    """

    def __init__(
        self,
        encoder: Encoder,
        engines: Sequence[Engine],
        batcher: Batcher,
        aligned: Callable[[int], int],
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start the threads; must be called on the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._aligned = aligned
        self._metrics = metrics
        self._clock = clock
        self._queue = WorkQueue(batcher, clock)
        self._tokeniser = Tokeniser(encoder, self._tokenised, self._failed)
        self._engines = EngineThreads(engines, self._queue, self._computed, clock)
        self.ready = True
        """What the readiness calls report."""
        self.accepting = True
        """Whether new calls are taken."""
        metrics.watch_queue(self._queue)

    async def answer(self, query: Query) -> Answer:
        """Score the query's texts in time; raises a ``RequestError`` that says why it won't."""
        if not self.accepting:
            raise DrainingError("the server is shutting down; ask another one")
        if not len(query):
            raise InvalidArgumentError("there are no texts; send at least one")
        if query.seconds <= 0:
            raise _too_late()
        work = Work(query, self._clock(), self._loop.create_future())
        self._queue.admit(work)
        if query.encoded:
            self._tokenised(work, query.encoded)
        else:
            self._tokeniser.submit(work)
        try:
            await work.future
        except asyncio.CancelledError:
            if self._queue.drop(work):
                self._metrics.shed("deadline" if self._is_late(work) else "cancelled")
            raise
        except Exception:
            self._queue.drop(work)
            raise
        answer = work.answer(self._clock())
        self._metrics.answered(len(query), answer.timings)
        return answer

    def close(self) -> None:
        """Finish what is queued and end the threads; blocks until they have ended."""
        self._tokeniser.close()
        self._queue.close()
        self._engines.join()

    def _is_late(self, work: Work) -> bool:
        # A caller gives up by its own clock, and gRPC sent its deadline rounded up by up to 1 %.
        return self._clock() - work.arrived >= 0.98 * work.query.seconds

    def _tokenised(self, work: Work, encoded: Sequence[Encoded]) -> None:
        self._queue.put(work, encoded, [self._aligned(len(one.ids)) for one in encoded])

    def _failed(self, work: Work, error: Exception) -> None:
        self._loop.call_soon_threadsafe(work.fail, error)

    def _computed(self, outcome: Outcome) -> None:
        self._loop.call_soon_threadsafe(self._deliver, outcome)

    def _deliver(self, outcome: Outcome) -> None:
        for work in outcome.expired:
            work.fail(_too_late())
        if outcome.batch is None:
            return
        self._metrics.computed(outcome.batch)
        for number, share in enumerate(outcome.batch.shares):
            if number in outcome.failures:
                share.work.fail(EngineError("the model failed on this call's texts"))
            else:
                share.work.score(share.start, outcome.rows[number], outcome.finished)


def _too_late() -> DeadlineExceededError:
    return DeadlineExceededError("the deadline passed before the texts were computed")
