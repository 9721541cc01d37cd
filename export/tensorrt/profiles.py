"""Optimisation profiles: the shapes that an engine is tuned for and takes, from those that batches have."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby


@dataclass(frozen=True, order=True)
class Profile:
    """Rectangles of one length, of so many rows.

    A profile for each single shape would be tuned still better, and take ten times as long to build.
    """

    length: int
    """Tokens of a row."""
    least_rows: int
    most_rows: int
    """What it is tuned for: full batches are what throughput comes from."""

    def shapes(self, dimensions: int) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """Smallest, tuned and largest shape of an input of one dimension, rows, or two."""
        least, most = ((rows, self.length)[:dimensions] for rows in (self.least_rows, self.most_rows))
        return least, most, most

    def __str__(self) -> str:
        return f"{self.least_rows}-{self.most_rows}x{self.length}"


def profiles_of(shapes: Iterable[tuple[int, int]]) -> tuple[Profile, ...]:
    """A profile for each length in shapes of (rows, length), by length."""
    by_length = groupby(sorted((length, rows) for rows, length in shapes), key=lambda shape: shape[0])
    found = ((length, [rows for _, rows in group]) for length, group in by_length)
    return tuple(Profile(length, min(rows), max(rows)) for length, rows in found)
