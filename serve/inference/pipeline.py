"""The way of a call: admitted, tokenised, queued, computed, answered. All of it in domain terms."""

import asyncio
import time
from collections.abc import Callable, Sequence

from strop.export.bundle import Encoded

from ..core import Answer, Query, Work
from ..engines.instances import Instances
from ..errors import DeadlineExceededError, EngineError, InvalidArgumentError
from ..observe.model_metrics import ModelMetrics
from ..scheduling.batcher import Batcher
from ..scheduling.queue import WorkQueue
from .encode import Encoder, Tokeniser
from .mask import Mask
from .threads import EngineThreads, Outcome


class Pipeline:
    """Answers calls on one event loop with its tokeniser and engine threads.

    The loop only ever waits for a call's future: threads hand over with
    ``call_soon_threadsafe``, once per batch.
    """

    def __init__(
        self,
        encoder: Encoder,
        instances: Instances,
        batcher: Batcher,
        metrics: ModelMetrics,
        *,
        answered: Sequence[Callable[[Query, Answer], None]] = (),
        nice: int = 0,
        mask: Mask | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start the threads; must be called on the running event loop.

        ``answered`` hear of every answer in the task of its call; ``nice`` is that of the instances,
        and ``mask`` what every text must have once.
        """
        self._loop = asyncio.get_running_loop()
        self._size = instances.layout.size
        self._metrics = metrics
        self._answered = answered
        self._mask = mask
        self._clock = clock
        self.queue = WorkQueue(batcher, clock)
        """What waits."""
        self._tokeniser = Tokeniser(encoder, self._tokenised, self._failed)
        self._engines = EngineThreads(instances, self.queue, self._computed, clock, nice)

    async def answer(self, query: Query) -> Answer:
        """Score the query's texts in time; raises a ``RequestError`` that says why it won't."""
        work = self.submit(query)
        try:
            answer = await work.future
        except asyncio.CancelledError:
            self.cancel(work)
            raise
        for hear in self._answered:
            hear(query, answer)
        return answer

    def submit(self, query: Query) -> Work:
        """Start on a query; its ``future`` gets the answer, or the ``RequestError`` why there is none.

        Raises the ``RequestError`` of a query that isn't even begun.
        """
        if not len(query):
            raise InvalidArgumentError("there are no texts; send at least one")
        if query.seconds <= 0:
            raise _too_late()
        work = Work(query, self._clock(), self._loop.create_future())
        self.queue.admit(work)
        if query.encoded:
            self._tokeniser.skip(work)
        else:
            self._tokeniser.submit(work)
        return work

    def cancel(self, work: Work) -> None:
        """Give up a call whose caller has gone, or whose deadline has passed."""
        if self.queue.drop(work):
            self._metrics.shed("deadline" if self._is_late(work) else "cancelled")

    def close(self) -> None:
        """Finish what is queued and end the threads; blocks until they have ended."""
        self._tokeniser.close()
        self.queue.close()
        self._engines.join()

    def _is_late(self, work: Work) -> bool:
        # A caller gives up by its own clock, and gRPC sent its deadline rounded up by up to 1 %.
        return self._clock() - work.arrived >= 0.98 * work.query.seconds

    def _tokenised(self, work: Work, encoded: Sequence[Encoded]) -> None:
        if self._mask is not None:
            self._mask.require_one(encoded)
        self.queue.put(work, encoded, [self._size(len(one.ids)) for one in encoded])

    def _failed(self, work: Work, error: Exception) -> None:
        self._loop.call_soon_threadsafe(self._fail, work, error)

    def _fail(self, work: Work, error: Exception) -> None:
        self.queue.drop(work)
        work.fail(error)

    def _computed(self, outcome: Outcome) -> None:
        self._loop.call_soon_threadsafe(self._deliver, outcome)

    def _deliver(self, outcome: Outcome) -> None:
        for work in outcome.late:
            work.fail(_too_late())
        if outcome.batch is None:
            return
        now = self._clock()
        answered = []
        seconds = outcome.finished - outcome.batch.formed
        tokens = sum(share.tokens for share in outcome.batch.shares)
        for number, share in enumerate(outcome.batch.shares):
            work = share.work
            work.engine_seconds += seconds * share.tokens / tokens
            if number in outcome.failures:
                error = EngineError("the model failed on this call's texts")
                error.__cause__ = outcome.failures[number]
                self._fail(work, error)
            elif work.score(share.start, outcome.rows[number]) and not work.future.done():
                work.future.set_result(work.answer(outcome.finished, now))
                answered.append(work)
        # After the replies, which the loop runs first: no caller waits for the books.
        self._loop.call_soon(self._record, outcome, answered, now)

    def _record(self, outcome: Outcome, answered: Sequence[Work], now: float) -> None:
        """Count a batch and the calls that it completed at ``now``, and teach the forecast."""
        assert outcome.batch is not None  # noqa: S101
        self._metrics.computed(outcome.batch, outcome.finished - outcome.batch.formed)
        for work in answered:
            self._metrics.answered(len(work.query), work.future.result().timings)
            if work.deadline < float("inf"):
                self._metrics.slack(work.deadline - now)
        if not outcome.failures:
            wrong = self.queue.learn(outcome.batch, outcome.finished, self._clock())
            self._metrics.forecast_error(abs(wrong))


def _too_late() -> DeadlineExceededError:
    return DeadlineExceededError("the deadline passes before the texts could be computed")
