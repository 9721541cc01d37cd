"""The batcher decides: what may wait, what is computed together, what is dropped."""

import heapq
from collections import Counter
from collections.abc import Sequence

from ..core import Batch, Priority, Share, Work
from ..errors import InvalidArgumentError, LateError, QueueFullError
from .backlog import Backlog, Head
from .draft import Computed, Draft, Limits
from .forecast import Forecast

BULK_TURN = 8
"""Every so many batches, waiting bulk texts go first, so that they are never starved."""
SPREAD_TOKENS = 32
"""What waits is spread over idle engines in batches of no fewer tokens: smaller ones win nothing."""
USUAL_TOKENS = 128
"""Where more tokens than that wait for each idle engine, the busy ones are counted on too. A larger
batch costs less per token, which pays once calls wait anyway; until then it only delays the next."""
MISFITS = 8
"""Clients whose next text doesn't fit that are passed over to fill a batch's last room."""
LOOK_AHEAD = 64
"""Calls of such a client that are looked through where its next text is only of another length."""


class Batcher:
    """A bounded queue of calls from which batches are taken under a token budget.

    Order: interactive before bulk, then the earliest deadline, then first come. A client has an
    even share of every batch and at most half of the queue, so that others always find room. A
    call is counted from ``admit``, before it is tokenised, until its texts are in batches or it is
    dropped. It has no threads and no clock.
    """

    def __init__(self, limits: Limits, forecast: Forecast, computed: Computed) -> None:
        self.texts = 0
        """Texts that wait, those being tokenised included."""
        self.tokens = 0
        """Tokens that wait, known once a text is tokenised."""
        self.forecast = forecast
        self._limits = limits
        self._computed = computed
        self._backlogs = {priority: Backlog() for priority in Priority}
        self._texts_of: Counter[str] = Counter()
        self._tokens_of: Counter[str] = Counter()
        self._batches_since_bulk = 0

    @property
    def has_work(self) -> bool:
        """Whether ``take`` has anything to look at."""
        return any(self._backlogs.values())

    def admit(self, work: Work, now: float) -> None:
        """Count a call at the door, before any work is spent on it.

        Raises ``QueueFullError``; ``LateError`` for a call that would wait past its deadline;
        ``InvalidArgumentError`` for one that could never be held.
        """
        texts, own = len(work.query), self._texts_of[work.query.client]
        self._require_room("texts", texts, own, self.texts, self._limits.queue_texts)
        self._require_time(work, now)
        self._count(work, texts, 0)

    def enqueue(self, work: Work, sizes: Sequence[int]) -> None:
        """Queue an admitted call whose texts take ``sizes`` tokens; raises as ``admit`` does.

        A call refused here stays counted until it is dropped.
        """
        tokens, own = sum(sizes), self._tokens_of[work.query.client]
        self._require_room("tokens", tokens, own, self.tokens, self._limits.queue_tokens)
        work.sizes = sizes
        self._count(work, len(sizes) - len(work.query), tokens)
        self._backlogs[work.query.priority].push(work)

    def drop(self, work: Work) -> bool:
        """Give up a call; returns whether any of its texts was still waiting."""
        waited = work.waiting_texts > 0
        self._abandon(work)
        if work.sizes:
            self._backlogs[work.query.priority].sweep(work.query.client)
        return waited

    def take(self, now: float, idle: int = 1) -> tuple[Batch | None, list[Work]]:
        """The batch to compute next, if any, and the calls that were dropped as too late.

        ``idle``: engines that are free, the asking one included; what waits is spread over them.
        """
        draft = Draft(self._limits, self._budget(idle), self._computed, now)
        finish = now + self._batch_seconds()
        late: list[Work] = []
        for backlog in self._turn():
            self._fill(draft, backlog, finish, late)
        if late and not draft.shares:
            self._try_anyway(draft, late)
        for work in late:
            self._abandon(work)
        return (Batch(draft.shares, draft.tokens, now) if draft.shares else None), late

    def _budget(self, idle: int) -> int:
        """The tokens of the next batch: an even share of what waits, within the limits."""
        share = -(-self.tokens // idle)
        if share > USUAL_TOKENS:
            share = max(USUAL_TOKENS, -(-self.tokens // self.forecast.engines))
        return min(max(SPREAD_TOKENS, share), self._limits.batch_tokens)

    def _turn(self) -> list[Backlog]:
        """The backlogs in the order in which they fill the next batch."""
        interactive, bulk = self._backlogs[Priority.INTERACTIVE], self._backlogs[Priority.BULK]
        self._batches_since_bulk = self._batches_since_bulk + 1 if bulk else 0
        if self._batches_since_bulk < BULK_TURN:
            return [interactive, bulk]
        self._batches_since_bulk = 0
        return [bulk, interactive]

    def _fill(self, draft: Draft, backlog: Backlog, finish: float, late: list[Work]) -> None:
        """Place the most urgent texts; a client that had its share waits until the others had theirs."""
        share = draft.budget // max(1, len(backlog))
        heads, sated, misfits = backlog.heads(), list[Head](), 0
        ahead: set[str] = set()
        while misfits < MISFITS:
            if not heads:
                if not sated:
                    return
                heads, sated, share = sated, [], draft.budget
            head = heapq.heappop(heads)
            work, client = head[2], head[2].query.client
            if work.waiting_texts and self._misses(work, finish):
                late.append(work)
            elif work.waiting_texts and not self._place(draft, work, share):
                if draft.fits(work.sizes[work.placed]):
                    sated.append(head)
                elif client not in ahead:
                    misfits += 1
                    self._look_ahead(draft, backlog, work, heads, ahead)
                continue
            # What was looked ahead to leaves the backlog once all before it have.
            if client not in ahead and (following := backlog.pop(client)):
                heapq.heappush(heads, following)

    def _look_ahead(
        self, draft: Draft, backlog: Backlog, work: Work, heads: list[Head], ahead: set[str]
    ) -> None:
        """Let a client's next calls be tried if the one before them is only of another length."""
        if not draft.suits(work.sizes[work.placed]):
            ahead.add(work.query.client)
            for later in backlog.behind(work.query.client, LOOK_AHEAD):
                heapq.heappush(heads, later)

    def _place(self, draft: Draft, work: Work, share: int) -> bool:
        """Move a call's next texts into the batch, up to its client's share; whether none is left."""
        start = stop = work.placed
        client, last = work.query.client, len(work.sizes)
        while stop < last and draft.fits(work.sizes[stop]) and draft.owes(client, work.sizes[stop], share):
            draft.add(client, work.sizes[stop])
            stop += 1
        if stop > start:
            if start == 0:
                work.started = draft.formed
            draft.shares.append(Share(work, start, stop))
            self._count(work, start - stop, -sum(work.sizes[start:stop]))
            work.placed = stop
        return stop == last

    def _try_anyway(self, draft: Draft, late: list[Work]) -> None:
        """Compute the call with most time left, though it looks late, rather than idle.

        Otherwise a forecast that is wrong would refuse everybody and never learn better.
        """
        hopeful = max(late, key=lambda work: work.deadline)
        if hopeful.deadline > draft.formed:
            late.remove(hopeful)
            if not self._place(draft, hopeful, draft.budget):
                self._backlogs[hopeful.query.priority].push(hopeful)

    def _misses(self, work: Work, finish: float) -> bool:
        """Whether a call can't be answered in full by its deadline, were it in the next batch."""
        beyond = work.waiting_tokens - self._limits.batch_tokens
        return work.deadline < finish + (beyond / self._rate() if beyond > 0 else 0.0)

    def _require_time(self, work: Work, now: float) -> None:
        """``LateError`` when what goes first would keep a call waiting until after its deadline."""
        left = work.deadline - now
        if left == float("inf") or not self.texts:
            return
        backlog, before = self._backlogs[work.query.priority], 0
        if work.query.priority is Priority.BULK:
            before = self._backlogs[Priority.INTERACTIVE].tokens
        ahead = before + backlog.tokens
        if self._wait(ahead) > left:
            rivals = [rival for rival in backlog.of(work.query.client) if rival.deadline <= work.deadline]
            clients = len(backlog) + (not rivals)
            turns = self._limits.batch_tokens + clients * sum(rival.waiting_tokens for rival in rivals)
            wait = self._wait(min(ahead, before + turns))
            if wait > left:
                raise LateError(wait, left)

    def _require_room(self, what: str, new: int, own: int, waiting: int, bound: int) -> None:
        """Let a client hold at most half of the queue, less what others hold."""
        if new > bound // 2:
            raise InvalidArgumentError(f"{new} {what} in one call are too many; send at most {bound // 2}")
        if waiting + own + 2 * new > bound:
            raise QueueFullError(
                f"{waiting} {what} wait, {own} of this connection; the queue holds {bound}, and no"
                f" connection more than half of them",
                self.tokens / self._rate(),
            )

    def _wait(self, ahead: int) -> float:
        """Seconds until the answers to a new call are out that ``ahead`` tokens go before."""
        return ahead / self._rate() + self._batch_seconds()

    def _batch_seconds(self) -> float:
        """Seconds until the next batch's answers are out."""
        return self.forecast.seconds(min(self.tokens, self._budget(1))) + self.forecast.margin

    def _rate(self) -> float:
        """Tokens a second in batches as large as what waits makes them."""
        return self.forecast.rate(self._budget(1))

    def _abandon(self, work: Work) -> None:
        self._count(work, -work.waiting_texts, -work.waiting_tokens)
        work.abandoned = True

    def _count(self, work: Work, texts: int, tokens: int) -> None:
        """Let the books follow a call in or out; what is 0 is forgotten, lest clients pile up."""
        client = work.query.client
        self.texts += texts
        self.tokens += tokens
        work.waiting_tokens += tokens
        self._backlogs[work.query.priority].tokens += tokens
        for held, change in ((self._texts_of, texts), (self._tokens_of, tokens)):
            held[client] += change
            if not held[client]:
                del held[client]
