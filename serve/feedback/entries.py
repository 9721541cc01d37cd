"""What is written of an answer, and which texts are."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from strop.export.bundle import Text
from strop.feedback import Answered
from strop.tasks import Example, Task

from ..core import Answer, Query

LONGEST_TEXT = 100_000
"""Characters of a text that is kept at most: a part of one would be another text."""

Mask = Callable[[str], str]


@dataclass(frozen=True)
class Sample:
    """Which texts are kept."""

    share: float
    uncertain: float
    mask: Mask
    """A text without its personal data."""

    def takes(self, request: str, place: int, confidence: float | None) -> bool:
        """Whether the text at ``place`` of a request is kept; the same in every process, at any time."""
        if confidence is not None and confidence < self.uncertain:
            return True
        return self.share > 0 and _fraction(f"{place} {request}") < self.share


def entries(
    query: Query, answer: Answer, task: Task, labels: tuple[str, ...], time: float, sample: Sample
) -> Iterator[Answered]:
    """What is written of each text of a call."""
    texts: Sequence[Text | None] = query.texts or [None] * len(query.encoded)
    for place, (text, outputs) in enumerate(zip(texts, answer.by_text(answer.outputs), strict=True)):
        label, confidence = _told(task, outputs[0], labels)
        first = second = None
        if text is not None and sample.takes(query.request_id, place, confidence):
            first, second = _masked(text, sample.mask)
        yield Answered(query.request_id, place, time, label, confidence, first, second)


def takes_labels(task: Task) -> bool:
    """Whether a caller can say in a few words what is right: classes and numbers, not spans or vectors."""
    return task.call in ("Classify", "Score")


def _told(task: Task, output: Any, labels: tuple[str, ...]) -> tuple[Any, float | None]:
    """The label of a text as a data set has it, and how sure it is."""
    if not takes_labels(task):
        return None, None
    if not task.confident:
        return float(output[0]), None
    label, confidence = task.guess(Example("", None), output, (), labels)
    return label, confidence


def _masked(text: Text, mask: Mask) -> tuple[str | None, str | None]:
    parts = (text,) if isinstance(text, str) else text
    if sum(map(len, parts)) > LONGEST_TEXT:
        return None, None
    first, *rest = map(mask, parts)
    return first, rest[0] if rest else None


def _fraction(key: str) -> float:
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest()) / 2**64
