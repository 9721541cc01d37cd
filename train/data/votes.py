"""What several callers say is right of one text, made one label."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Literal

from strop.feedback import Answered, AnsweredBy, Correction, Stored

from .content import normalised

Ties = Literal["latest", "drop"]
Key = tuple[str, str]


@dataclass
class Opinions:
    """All that was said of one text, in whatever answers it stood."""

    first: Answered
    """The first answer to it, whose spelling is kept."""
    by: AnsweredBy
    """Which model gave that."""
    said: list[Correction] = field(default_factory=list)
    """With a label, in the order of their times."""
    comments: list[str] = field(default_factory=list)
    copies: int = 0
    """Further answers to the same text."""


@dataclass(frozen=True)
class Verdict:
    """What opinions come to."""

    label: Any
    votes: int
    """For that label; of numbers, all."""
    of: int
    tie: bool
    """Whether another label has as many votes."""

    @property
    def contested(self) -> bool:
        """Whether somebody said something else."""
        return self.votes < self.of


def gather(stored: Iterable[Stored]) -> Mapping[Key, Opinions]:
    """Answers by their text, those without one left out.

    Texts are the same that differ in case, spaces and Unicode form alone.
    """
    found: dict[Key, Opinions] = {}
    for one in stored:
        answered = one.answered
        if answered.text is None:
            continue
        key = normalised(answered.text), normalised(answered.pair or "")
        if key in found:
            found[key].copies += 1
        else:
            found[key] = Opinions(answered, one.by)
        opinions = found[key]
        opinions.said += [said for said in one.corrections if said.label is not None]
        opinions.said.sort(key=lambda said: said.time)
        opinions.comments += [said.comment for said in one.corrections if said.comment]
    return found


def resolve(said: Iterable[Correction], *, numbers: bool = False) -> Verdict | None:
    """The label that most say, of as many the one said last; of ``numbers`` their median.

    None where nobody says any.
    """
    labels = [one.label for one in said]
    if not labels:
        return None
    if numbers:
        middle = float(median(labels))
        return Verdict(middle, sum(label == middle for label in labels), len(labels), tie=False)
    votes = Counter(map(_key, labels))
    last: dict[str, int] = defaultdict(int)
    for place, label in enumerate(labels):
        last[_key(label)] = place
    best = max(votes, key=lambda key: (votes[key], last[key]))
    tie = sum(count == votes[best] for count in votes.values()) > 1
    return Verdict(json.loads(best), votes[best], len(labels), tie)


def _key(label: Any) -> str:
    """The same for the same names in another order."""
    return json.dumps(sorted(label) if isinstance(label, list) else label, ensure_ascii=False)
