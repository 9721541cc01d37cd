"""What is kept: answers, who gave them, and what callers said of them."""

from dataclasses import dataclass
from typing import Any

Label = Any
"""As a row of a data set has it: a name, a list of them, a number; None for none."""


@dataclass(frozen=True)
class AnsweredBy:
    """The model that answered."""

    name: str
    version: str
    task: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Answered:
    """What was answered to one text of a request."""

    request: str
    """The id of the request."""
    place: int
    """Of the text in the request, from 0."""
    time: float
    """Seconds since the epoch."""
    label: Label
    confidence: float | None = None
    """Of the answer, from 0 to 1; None where a task doesn't tell."""
    text: str | None = None
    """None unless it was sampled."""
    pair: str | None = None


@dataclass(frozen=True)
class Correction:
    """What a caller said of an answer."""

    time: float
    label: Label
    """What would have been right; None where only a comment was given."""
    comment: str


@dataclass(frozen=True)
class Stored:
    """An answer with what was said of it, in the order in which it was said."""

    number: int
    """Rises with every answer."""
    answered: Answered
    by: AnsweredBy
    corrections: tuple[Correction, ...]
