"""The batcher decides: what may wait, what is computed together, what is dropped."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from .core import Batch, Share, Work
from .errors import InvalidArgumentError, QueueFullError


@dataclass(frozen=True)
class Limits:
    """What bounds a batch and the queue; tokens are counted with alignment."""

    batch_tokens: int
    """A batch holds at most these, save a single longer text, which goes alone."""
    queue_texts: int
    queue_tokens: int


def reach(sizes: Sequence[int], start: int, room: int) -> int:
    """The ``stop`` up to which the sizes from ``start`` on fit into ``room`` together."""
    stop = start
    while stop < len(sizes) and sizes[stop] <= room:
        room -= sizes[stop]
        stop += 1
    return stop


class Batcher:
    """A bounded queue of calls from which batches are taken under a token budget.

    A call is counted from ``admit``, before it is tokenised, until its texts are in batches or it
    is dropped; so ``texts`` and ``tokens`` bound all that waits. It has no threads and no clock.
    """

    def __init__(self, limits: Limits, tokens_per_second: float) -> None:
        self.texts = 0
        """Texts that wait, those being tokenised included."""
        self.tokens = 0
        """Tokens that wait, known once a text is tokenised."""
        self._limits = limits
        self._tokens_per_second = tokens_per_second
        # The order of service: first come, first served. Another order replaces this queue alone.
        self._queue: deque[Work] = deque()

    @property
    def has_work(self) -> bool:
        """Whether ``take`` has anything to look at."""
        return bool(self._queue)

    def admit(self, work: Work) -> None:
        """Count a call at the door, before any work is spent on it.

        Raises ``QueueFullError``, or ``InvalidArgumentError`` for a call that could never be held.
        """
        limit = self._limits.queue_texts
        texts = len(work.query)
        if texts > limit:
            raise InvalidArgumentError(f"{texts} texts in one call are too many; at most {limit}")
        if self.texts + texts > limit:
            raise self._full(f"{self.texts} texts wait and the queue holds {limit}")
        self.texts += texts

    def enqueue(self, work: Work, sizes: Sequence[int]) -> None:
        """Queue an admitted call whose texts take ``sizes`` tokens; raises as ``admit`` does.

        A call refused here stays counted until it is dropped.
        """
        limit = self._limits.queue_tokens
        tokens = sum(sizes)
        if tokens > limit:
            raise InvalidArgumentError(
                f"{tokens} tokens in one call are too many; at most {limit} may wait: send fewer"
            )
        if self.tokens + tokens > limit:
            raise self._full(f"{self.tokens} tokens wait and the queue holds {limit}")
        work.sizes = sizes
        self.tokens += tokens
        self._queue.append(work)

    def drop(self, work: Work) -> bool:
        """Give up a call; returns whether any of its texts was still waiting."""
        waited = work.waiting_texts > 0
        self.texts -= work.waiting_texts
        self.tokens -= work.waiting_tokens
        work.abandoned = True
        return waited

    def take(self, now: float) -> tuple[Batch | None, list[Work]]:
        """The batch to compute next, if any, and the calls that were dropped as too late."""
        shares: list[Share] = []
        tokens = 0
        expired: list[Work] = []
        while self._queue:
            work = self._queue[0]
            if work.deadline <= now and not work.abandoned:
                self.drop(work)
                expired.append(work)
            if not work.abandoned:
                share = self._place(work, tokens, now)
                if share is None:
                    break
                shares.append(share)
                tokens += sum(work.sizes[share.start : share.stop])
                if work.placed < len(work.sizes):
                    break
            self._queue.popleft()
        return (Batch(shares, tokens, now) if shares else None), expired

    def _place(self, work: Work, tokens: int, now: float) -> Share | None:
        """Move the call's next texts into a batch that holds ``tokens``, as far as they fit."""
        start = work.placed
        stop = reach(work.sizes, start, self._limits.batch_tokens - tokens)
        if stop == start:
            if tokens:
                return None
            stop = start + 1
        if start == 0:
            work.started = now
        self.texts -= stop - start
        self.tokens -= sum(work.sizes[start:stop])
        work.placed = stop
        return Share(work, start, stop)

    def _full(self, message: str) -> QueueFullError:
        return QueueFullError(message, self.tokens / self._tokens_per_second)
