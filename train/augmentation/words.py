"""The words of a text, and what stands between them."""

import re

_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
"""Kana and ideographs, which are written without blanks: each counts as a word."""
_WORD = re.compile(f"([{_UNSPACED}]|[^\\W_{_UNSPACED}]+(?:['’][^\\W_{_UNSPACED}]+)*)")


def split(text: str) -> list[str]:
    """What stands before the first word, that word, what stands behind it, and so on; joined it
    is the text. Words are at the odd places.
    """
    return _WORD.split(text)


def places(pieces: list[str]) -> range:
    """Where the words are in what ``split`` gave."""
    return range(1, len(pieces), 2)


def join(pieces: list[str]) -> str:
    """The text of pieces, with a blank where two words would run into one."""
    joined = pieces[0]
    for place in places(pieces):
        word, behind = pieces[place : place + 2]
        follows = "".join(pieces[place + 2 : place + 3])
        blank = not behind and needs_blank(word[-1:]) and needs_blank(follows[:1])
        joined += word + (" " if blank else behind)
    return joined


def needs_blank(letter: str) -> bool:
    """Whether words that begin or end with it are set apart by blanks."""
    return bool(letter) and re.match(f"[{_UNSPACED}]", letter) is None
