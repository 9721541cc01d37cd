"""Texts that stand in two splits: a model that has seen the test is scored too well."""

from collections.abc import Iterable

from .content import normalised
from .shares import SPLITS


class Leaks:
    """Where each text may stay: in the last split that has it, so that no test row is ever dropped.

    Texts are the same when they differ in no more than case, spaces and Unicode form.
    """

    def __init__(self, rows: Iterable[tuple[str, str]]) -> None:
        """Learn from ``rows``, each a split and a key."""
        self._last: dict[int, str] = {}
        for split, key in rows:
            mark = _mark(key)
            other = self._last.get(mark, split)
            self._last[mark] = max(split, other, key=SPLITS.index)

    def __contains__(self, row: tuple[str, str]) -> bool:
        """Whether a row, of a split and a key, must go."""
        split, key = row
        return self._last[_mark(key)] != split


def _mark(key: str) -> int:
    # A number for a text, so that a set larger than memory can be told apart in it.
    return hash(normalised(key))
