"""Copies of the training texts, changed so that the label holds: the kinds by name.

Wei and Zou, "EDA: Easy Data Augmentation Techniques for Boosting Performance on Text Classification
Tasks", EMNLP 2019, give synonyms, insert, swap and delete; typos are Pruthi et al.'s.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from .edits import Synonyms, delete, insert, replace, swap
from .typos import misspell

Change = Callable[[list[str], Random, int, Synonyms], list[str]]
"""Makes of a text, as ``words.split`` gives it, another with about so many words changed."""


@dataclass(frozen=True)
class Kind:
    """One way to change a text."""

    name: str
    summary: str
    """One line for whoever has to choose."""
    change: Change
    in_place: bool = False
    """Whether each word stays where it is, so that labels of single words hold, too."""
    wants_synonyms: bool = False


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("synonyms", "words give way to others of like meaning", replace, True, wants_synonyms=True),
        Kind("insert", "words of like meaning are put in anywhere", insert, wants_synonyms=True),
        Kind("swap", "words change places", swap),
        Kind("delete", "words are left out", delete),
        Kind("typos", "letters are swapped, dropped, doubled or mistaken for a key beside", misspell, True),
    )
}

__all__ = ["KINDS", "Kind", "Synonyms"]
