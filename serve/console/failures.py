"""The calls that failed lately, in bounded memory, however many and of how many kinds."""

import time
from collections.abc import Callable
from dataclasses import replace

from .state import Failure, latest_first

KINDS = 50


class Failures:
    """The latest kinds of failure, each with its number; called on the event loop, read from anywhere.

    A flood of one kind is one entry: it costs as little as any, and drives out no other.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._kinds: dict[tuple[str, str, str, str], Failure] = {}

    def add(self, method: str, model: str, code: str, message: str) -> None:
        """A call failed; ``message`` is ours alone and quotes nothing that it sent."""
        kind, now = (method, model, code, message), self._clock()
        # Taken out and put back, so that the first is always the one that is longest ago.
        known = self._kinds.pop(kind, None) or Failure(*kind, count=0, last=now)
        self._kinds[kind] = replace(known, count=known.count + 1, last=now)
        if len(self._kinds) > KINDS:
            del self._kinds[next(iter(self._kinds))]

    def latest(self) -> tuple[Failure, ...]:
        """Those that are kept, the latest first."""
        return latest_first(list(self._kinds.values()))
