"""A batch while it is formed: what may still join it."""

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from ..core import Share

Computed = Callable[[int, int, int], int]
"""Tokens that an engine computes for a batch: (texts, longest text, sum over the texts) in tokens."""


@dataclass(frozen=True)
class Limits:
    """What bounds a batch and the queue; tokens are those that a text takes in a batch."""

    batch_tokens: int
    """A batch never computes more, save for a single longer text, which goes alone."""
    queue_texts: int
    queue_tokens: int
    batch_texts: int = sys.maxsize
    max_padding: float = 1.0
    """The part of a batch's tokens that may be padding to the length of its longest text."""


class Draft:
    """A batch while it is formed."""

    def __init__(self, limits: Limits, budget: int, computed: Computed, formed: float) -> None:
        self.shares: list[Share] = []
        self.budget = budget
        self.formed = formed
        self._limits = limits
        self._computed = computed
        self._texts = self._longest = self._held = 0
        self._tokens_of: Counter[str] = Counter()

    @property
    def tokens(self) -> int:
        """Tokens that the engine computes for it."""
        return self._computed(self._texts, self._longest, self._held)

    def fits(self, size: int) -> bool:
        """Whether one more text of ``size`` tokens may join; the first one always may."""
        held, texts = self._held + size, self._texts + 1
        return not self._texts or (
            held <= self.budget
            and texts <= self._limits.batch_texts
            and self._computed(texts, max(self._longest, size), held) <= self._limits.batch_tokens
            and self.suits(size)
        )

    def suits(self, size: int) -> bool:
        """Whether a text's length is near enough to the others', as far as that costs padding."""
        held, texts, longest = self._held + size, self._texts + 1, max(self._longest, size)
        # Rows that are computed without a text are for more texts to fill, not a reason to stop.
        filled = min(self._computed(texts, longest, held), texts * self._computed(1, longest, longest))
        return filled - held <= self._limits.max_padding * filled

    def owes(self, client: str, size: int, share: int) -> bool:
        """Whether a client has room for the text in its share; for one text it always has."""
        used = self._tokens_of[client]
        return not used or used + size <= share

    def add(self, client: str, size: int) -> None:
        """Take in a text."""
        self._texts += 1
        self._held += size
        self._longest = max(self._longest, size)
        self._tokens_of[client] += size
