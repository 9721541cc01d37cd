"""What a caller says would have been right, held against the answer that it is about."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from strop.feedback import AnsweredBy, Correction, FeedbackStore, Stored
from strop.tasks import TASKS, Example

from ..errors import ForgottenError, InvalidArgumentError
from .entries import Mask, takes_labels

LONGEST_COMMENT = 2_000


@dataclass(frozen=True)
class Feedback:
    """A caller's word on one answer."""

    request: str
    place: int
    labels: Sequence[str]
    none: bool
    """That no label is right, of a model that may give none."""
    comment: str


def take(store: FeedbackStore, said: Feedback, time: float, mask: Mask) -> None:
    """Write it down, personal data in the comment masked.

    Raises ``ForgottenError`` when no such answer is remembered, ``InvalidArgumentError`` when several
    are, or when the model can't have been meant.
    """
    if not said.request:
        raise InvalidArgumentError("request_id is empty; send the one that the reply told")
    if not (said.labels or said.none or said.comment):
        raise InvalidArgumentError("there are no labels, none_of_them and no comment; send one of these")
    if len(said.comment) > LONGEST_COMMENT:
        raise InvalidArgumentError(
            f"comment has {len(said.comment)} characters; send at most {LONGEST_COMMENT}"
        )
    found = _the_one(store.find(said.request, said.place), said)
    label = _label(said, found.by) if said.labels or said.none else None
    if not store.correct(found.number, Correction(time, label, mask(said.comment))):
        raise _unknown(said)


def _the_one(found: Sequence[Stored], said: Feedback) -> Stored:
    if not found:
        raise _unknown(said)
    if len(found) > 1:
        raise InvalidArgumentError(
            f"{len(found)} answers have the request_id {said.request!r}; give each request its own id,"
            " or none and take the reply's"
        )
    return found[0]


def _unknown(said: Feedback) -> ForgottenError:
    return ForgottenError(
        f"no answer to text {said.place} of request {said.request!r} is remembered: it was never given"
        " here, or has made room for newer ones"
    )


def _label(said: Feedback, by: AnsweredBy) -> Any:
    """The right label as a data set has it."""
    task = TASKS[by.task]
    if not takes_labels(task):
        raise InvalidArgumentError(
            f"model {by.name!r} is for {by.task}, which has no labels; send a comment"
        )
    given: Any = list(said.labels)
    if task.one_choice or task.call == "Score":
        if said.none or len(given) != 1:
            sent = "none" if said.none else len(given)
            raise InvalidArgumentError(f"labels are {sent}; send one, because {by.name!r} gives a text one")
        (given,) = given
    elif said.none and given:
        raise InvalidArgumentError("none_of_them is set beside labels; send one or the other")
    try:
        label = task.read_label(given, "", None)
    except ValueError as error:
        raise InvalidArgumentError(f"labels: {error}") from error
    for name in task.named([Example("", label)]):
        if name not in by.labels:
            raise InvalidArgumentError(
                f"label {name!r} is none of {by.name!r}'s; send one of: {', '.join(by.labels)}"
            )
    return label
