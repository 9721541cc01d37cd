"""Changed copies of examples, drawn by the hash of the text: the same text has the same copies anywhere."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from random import Random

from strop.tasks import Example

from . import KINDS, Kind, Synonyms
from .words import join, places, split


def copies_of(
    examples: Iterable[Example],
    kind: Kind,
    *,
    seed: int,
    copies: int,
    share: float,
    synonyms: Mapping[str, Sequence[str]],
) -> Iterator[Example]:
    """Up to so many copies of each example with about ``share`` of the words changed, labels kept.

    Of a pair both texts are changed. What came out as it was, or twice, is left out.
    """
    for example in examples:
        found = {example}
        for number in range(copies):
            texts = [
                changed(text, kind, Random(draw(f"{seed}/{kind.name}/{number}/{text}")), share, synonyms)
                for text in texts_of(example)
            ]
            copy = with_texts(example, texts)
            if copy not in found:
                found.add(copy)
                yield copy


def changed(
    text: str, kind: Kind, random: Random, share: float, synonyms: Mapping[str, Sequence[str]]
) -> str:
    """A text with ``max(1, share × words)`` words changed, as far as there are any to change."""
    pieces = split(text)
    words = len(places(pieces))
    if not words:
        return text
    return join(kind.change(pieces, random, max(1, round(share * words)), _lookup(synonyms)))


def with_typos(examples: Iterable[Example], share: float) -> list[Example]:
    """The same examples with typing errors in about ``share`` of the words, to judge a model by.

    They are the same for every run, whatever its seed.
    """
    kind = KINDS["typos"]
    return [
        next(copies_of([one], kind, seed=0, copies=1, share=share, synonyms={}), one) for one in examples
    ]


def texts_of(example: Example) -> list[str]:
    """Its text, or both."""
    return [example.text] if example.pair is None else [example.text, example.pair]


def with_texts(example: Example, texts: Sequence[str]) -> Example:
    """The same label on other texts, as many."""
    return replace(example, text=texts[0], pair=texts[1] if len(texts) > 1 else None)


def _lookup(synonyms: Mapping[str, Sequence[str]]) -> Synonyms:
    return lambda word: synonyms.get(word, ())


def draw(key: str) -> int:
    """A number below 2⁶⁴ that follows from a text alone, evenly spread."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8])
