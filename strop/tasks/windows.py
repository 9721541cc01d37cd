"""A pair of which the second text may be longer than a model takes: read window by window.

Every window is the first text, whole, and a stretch of the second. Neighbours share some of it, so
that what one cuts in two is whole in the other.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from .task import Span

OVERLAP = 3
"""A third of the tokens that a model takes is shared by neighbours: SQuAD's usual 128 of 384."""
FIRST = 4
"""A quarter of them is for the first text at most; what is longer loses its end."""
FEWEST = 16
"""Tokens that a model must take, for windows that move on."""


class Encoding(Protocol):
    """What ``tokenizers`` makes of a pair, nothing cut off; each list has an entry for each token."""

    @property
    def ids(self) -> list[int]:
        """Token ids."""

    @property
    def type_ids(self) -> list[int]:
        """Token types."""

    @property
    def offsets(self) -> list[Span]:
        """The characters, in its own text, that a token stands for."""

    @property
    def sequence_ids(self) -> list[int | None]:
        """0 or 1 by the text that a token is of; None for a special one."""


class Window(NamedTuple):
    """One input: token ids, token types, and for tokens of the second text their characters in it."""

    ids: list[int]
    type_ids: list[int]
    offsets: list[Span]
    """(0, 0) for a token of the first text and for a special one."""
    cut: bool
    """Whether the first text lost its end."""


def windows(encoding: Encoding, max_tokens: int) -> list[Window]:
    """What a model that takes ``max_tokens`` tokens, at least ``FEWEST``, is given for a pair.

    Every token of the second text is in a window, and any stretch of ``max_tokens // OVERLAP`` of its
    tokens lies whole in one.
    """
    ids, type_ids, offsets = encoding.ids, encoding.type_ids, encoding.offsets
    texts = encoding.sequence_ids
    first, second = ([place for place, text in enumerate(texts) if text == which] for which in (0, 1))
    dropped = {*first[max_tokens // FIRST :], *second}
    beside = [place for place in range(len(texts)) if place not in dropped]

    def window(start: int, stop: int) -> Window:
        places = sorted((*beside, *second[start:stop]))
        return Window(
            [ids[place] for place in places],
            [type_ids[place] for place in places],
            [offsets[place] if texts[place] == 1 else (0, 0) for place in places],
            len(first) > max_tokens // FIRST,
        )

    stretches = stretches_of(len(second), max_tokens - len(beside), max_tokens // OVERLAP)
    return [window(*stretch) for stretch in stretches]


def stretches_of(length: int, room: int, overlap: int) -> list[Span]:
    """The first place and the one after the last of each stretch of ``room`` out of ``length`` places.

    Neighbours share ``overlap`` places, fewer than ``room``; the last stretch may be shorter, and where
    there is nothing to read it is one empty stretch.
    """
    starts: Sequence[int] = range(0, max(length - overlap, 1), room - overlap)
    return [(start, min(start + room, length)) for start in starts]
