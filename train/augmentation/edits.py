"""Whole words replaced, put in, swapped and left out, as Wei and Zou (EMNLP 2019) do it.

Each takes a text in the pieces that ``words.split`` gives, and a number of words to change; it never
leaves a text without a word.
"""

from collections.abc import Callable, Sequence
from random import Random

from .words import needs_blank, places

Synonyms = Callable[[str], Sequence[str]]
"""Other words for a word; none for one that is better left as it is."""


def replace(pieces: list[str], random: Random, count: int, synonyms: Synonyms) -> list[str]:
    """Words that have synonyms, by one of them, with the same capitals."""
    known = [place for place in places(pieces) if synonyms(pieces[place])]
    for place in random.sample(known, min(count, len(known))):
        pieces[place] = _as_written(random.choice(synonyms(pieces[place])), pieces[place])
    return pieces


def insert(pieces: list[str], random: Random, count: int, synonyms: Synonyms) -> list[str]:
    """Synonyms of words of the text, each behind any word."""
    known = [word for place in places(pieces) if synonyms(word := pieces[place])]
    for _ in range(count if known else 0):
        word = random.choice(synonyms(random.choice(known)))
        pieces[random.choice(places(pieces))] += f" {word}" if needs_blank(word[0]) else word
    return pieces


def swap(pieces: list[str], random: Random, count: int, synonyms: Synonyms) -> list[str]:
    """Two words, so many times; signs and blanks stay."""
    for _ in range(count if len(places(pieces)) > 1 else 0):
        one, other = random.sample(places(pieces), 2)
        pieces[one], pieces[other] = pieces[other], pieces[one]
    return pieces


def delete(pieces: list[str], random: Random, count: int, synonyms: Synonyms) -> list[str]:
    """So many words, but one stays; the blank before each goes with it."""
    where = places(pieces)
    gone = set(random.sample(where, min(count, len(where) - 1)))
    kept = [pieces[0]]
    for place in where:
        if place in gone:
            kept[-1] = kept[-1].rstrip() + pieces[place + 1]
        else:
            kept += pieces[place : place + 2]
    kept[0], kept[-1] = kept[0].lstrip(), kept[-1].rstrip()
    return kept


def _as_written(word: str, model: str) -> str:
    """A word with the capitals of another."""
    if len(model) > 1 and model.isupper():
        return word.upper()
    return word[:1].upper() + word[1:] if model[:1].isupper() else word
