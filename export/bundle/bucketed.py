"""Rectangles of few fixed shapes, for engines that prepare one kernel plan or graph for each shape."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import takewhile

from strop.tasks import Floats, Outputs

from .layout import IntArray, Layout, MaskedLayout, PaddedLayout

Shape = tuple[int, int]
"""Rows, and tokens of each."""

# Steps of 16 while they matter, then of at most a half: a text past 32 tokens is padded by a third at most.
FIRST_LENGTHS = (16, 32, 48)
FIRST_ROWS = (1, 2, 4, 8)


@dataclass(frozen=True)
class Buckets(PaddedLayout):
    """Rounds rows and length up to a bucket; the rows that no text fills repeat a single token.

    What is computed for a text depends on the shape alone, and a row never sees another.
    """

    max_tokens: int = field(kw_only=True)
    """The longest text there is: no row is longer than it needs."""

    def computed(self, texts: int, longest: int, tokens: int) -> int:
        """All of the rectangle, rows without a text too."""
        return self.rows(texts) * self.length(longest)

    def rows(self, texts: int) -> int:
        """Rows of the bucket that so many texts fall into."""
        return next(rows for rows in _row_buckets() if rows >= texts)

    def length(self, longest: int) -> int:
        """The bucket of a length; a text longer than ``max_tokens`` gets an aligned row of its own."""
        lengths = self.lengths
        found = bisect_left(lengths, longest)
        return lengths[found] if found < len(lengths) else self._aligned(longest)

    @property
    def lengths(self) -> list[int]:
        """The lengths of rows, from the shortest to that of the longest text."""
        cap = self._aligned(self.max_tokens)
        return [*takewhile(cap.__gt__, map(self._aligned, _length_buckets())), cap]

    def shapes(self, tokens: int) -> list[Shape]:
        """Every shape that batches of at most ``tokens`` computed tokens come in, the largest first.

        A single text of any length is among them, whatever the budget. An engine that is prepared
        for these, by captured graphs or as optimisation profiles, never meets another.
        """
        found = [
            (rows, length)
            for length in self.lengths
            for rows in takewhile(max(1, tokens // length).__ge__, _row_buckets())
        ]
        return sorted(found, key=lambda shape: (shape[0] * shape[1], shape), reverse=True)

    def samples(self, tokens: int, longest: int) -> list[list[int]]:
        """A full batch of each shape."""
        return [[min(length, longest)] * rows for rows, length in self.shapes(tokens)]

    def feeds(self, sequences: Sequence[IntArray]) -> dict[str, IntArray]:
        """As the rectangle's: b is the bucket of the number of sequences, t that of the longest length.

        ``starts`` has b entries, too.
        """
        # One real token, so that no softmax runs over nothing.
        filler = sequences[0][:1]
        return super().feeds([*sequences, *[filler] * (self.rows(len(sequences)) - len(sequences))])

    def by_text(self, outputs: Floats, sequences: Sequence[IntArray]) -> Outputs:
        """Leaves out the rows without a text, and the padding of the others."""
        return super().by_text(outputs[: len(sequences)], sequences)


class BucketedLayout(Buckets):
    """The padded rectangle in fixed shapes: for every graph that Strop exports."""

    kind = "bucketed"


class BucketedMaskedLayout(Buckets, MaskedLayout):
    """The rectangle with a mask in fixed shapes: for graphs of other exporters."""

    kind = "bucketed-masked"


def bucketed(layout: Layout, max_tokens: int) -> Buckets:
    """The fixed shapes that a graph of ``layout`` takes as well, for texts of at most ``max_tokens``."""
    kind = BucketedMaskedLayout if isinstance(layout, MaskedLayout) else BucketedLayout
    return kind(**asdict(layout), max_tokens=max_tokens)


def _length_buckets() -> Iterator[int]:
    """16, 32, 48, 64, 96, 128, 192, 256, 384, 512, ...: without end."""
    yield from FIRST_LENGTHS
    yield from _doubling(64)


def _row_buckets() -> Iterator[int]:
    """1, 2, 4, 8, 16, 24, 32, 48, 64, 96, ...: without end."""
    yield from FIRST_ROWS
    yield from _doubling(16)


def _doubling(start: int) -> Iterator[int]:
    """Each power of two from ``start`` on, and what lies in the middle to the next."""
    while True:
        yield start
        yield start + start // 2
        start *= 2
