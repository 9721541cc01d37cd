"""What waits in one priority class: by client, and each client's calls by deadline."""

import heapq
from collections import Counter
from collections.abc import Iterator
from itertools import count

from ..core import Work

Head = tuple[float, int, Work]
"""A waiting call behind what it is ordered by: its deadline, then its place of arrival."""

FEW = 32
"""Dropped calls of a client that never cause a sweep."""


class Backlog:
    """Calls of one priority class; a dropped one stays until it is reached or swept out, and so does one
    that was computed before its turn.
    """

    def __init__(self) -> None:
        self.tokens = 0
        """Tokens that wait in it."""
        self._clients: dict[str, list[Head]] = {}
        self._dropped: Counter[str] = Counter()
        # Since the client's last sweep.
        self._arrivals = count()

    def __len__(self) -> int:
        """How many clients have something in it."""
        return len(self._clients)

    def push(self, work: Work) -> None:
        """Add a call."""
        heads = self._clients.setdefault(work.query.client, [])
        heapq.heappush(heads, (work.deadline, next(self._arrivals), work))

    def heads(self) -> list[Head]:
        """The most urgent call of every client, as a heap."""
        heads = [waiting[0] for waiting in self._clients.values()]
        heapq.heapify(heads)
        return heads

    def behind(self, client: str, count: int) -> list[Head]:
        """The calls of one client after its most urgent one, at most so many, in order."""
        return heapq.nsmallest(count + 1, self._clients[client])[1:]

    def of(self, client: str) -> Iterator[Work]:
        """The calls of one client, in no order."""
        return (work for _, _, work in self._clients.get(client, ()))

    def pop(self, client: str) -> Head | None:
        """Remove a client's most urgent call; returns the next one, if it has any."""
        waiting = self._clients[client]
        heapq.heappop(waiting)
        if waiting:
            return waiting[0]
        self._forget(client)
        return None

    def sweep(self, client: str) -> None:
        """Hear that one of a client's calls was dropped; remove such once they may be half."""
        if (waiting := self._clients.get(client)) is None:
            return
        self._dropped[client] += 1
        if self._dropped[client] > max(FEW, len(waiting) // 2):
            waiting[:] = [head for head in waiting if not head[2].abandoned]
            heapq.heapify(waiting)
            self._dropped[client] = 0
            if not waiting:
                self._forget(client)

    def _forget(self, client: str) -> None:
        del self._clients[client]
        self._dropped.pop(client, None)
