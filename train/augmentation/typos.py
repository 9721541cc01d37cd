"""Typing errors: what people's fingers do to a word while readers still understand it.

Within a word of four letters or more, first and last stay, two neighbours are swapped, one letter is
dropped, doubled, or mistaken for a key beside it: Pruthi, Dhingra and Lipton, "Combating Adversarial
Misspellings with Robust Word Recognition", ACL 2019, who add any letter where here one is doubled.
"""

from collections.abc import Callable, Mapping
from random import Random

from .edits import Synonyms
from .words import places

LETTERS = 4
"""A shorter word is often another one with a letter wrong."""
ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")


def _keys_beside() -> Mapping[str, str]:
    """By letter, those within a key's width of it, where each row begins half a key after the one above."""
    spots = {key: (row, place + row / 2) for row, keys in enumerate(ROWS) for place, key in enumerate(keys)}
    return {
        key: "".join(
            other
            for other, (other_row, other_place) in spots.items()
            if other != key and abs(other_row - row) <= 1 and abs(other_place - place) <= 1
        )
        for key, (row, place) in spots.items()
    }


KEYS_BESIDE = _keys_beside()


def misspell(pieces: list[str], random: Random, count: int, synonyms: Synonyms) -> list[str]:
    """One error in each of so many words; letters alone, so that numbers and codes hold."""
    known = [place for place in places(pieces) if len(pieces[place]) >= LETTERS and pieces[place].isalpha()]
    for place in random.sample(known, min(count, len(known))):
        pieces[place] = _with_error(pieces[place], random)
    return pieces


def _with_error(word: str, random: Random) -> str:
    """The word with one error that shows; errors that it can't have, such as a swap of like letters,
    are passed over.
    """
    errors = random.sample(_ERRORS, len(_ERRORS))
    at = random.randrange(1, len(word) - 1)
    return next((found for error in errors if (found := error(word, at, random)) != word), word)


def _swapped(word: str, at: int, random: Random) -> str:
    at = min(at, len(word) - 3)  # the last letter stays
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def _dropped(word: str, at: int, random: Random) -> str:
    return word[:at] + word[at + 1 :]


def _doubled(word: str, at: int, random: Random) -> str:
    return word[: at + 1] + word[at:]


def _mistaken(word: str, at: int, random: Random) -> str:
    beside = KEYS_BESIDE.get(word[at].lower())
    if beside is None:
        return word
    key = random.choice(beside)
    return word[:at] + (key.upper() if word[at].isupper() else key) + word[at + 1 :]


_ERRORS: tuple[Callable[[str, int, Random], str], ...] = (_swapped, _dropped, _doubled, _mistaken)
