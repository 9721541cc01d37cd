"""The options of ``strop serve`` that say what is kept of calls."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

from cyclopts import Group, Parameter

from strop.errors import InputError
from strop.options import flag, require_at_least

T = TypeVar("T")
GROUP = Group("What is kept of calls", sort_key=3)
Option = Annotated[T, Parameter(group=GROUP)]


@dataclass(frozen=True, kw_only=True)
class FeedbackOptions:
    """What is kept of calls."""

    feedback: Option[Path | None] = None
    """An SQLite file that remembers answers by their request ids, so that callers can say what would
    have been right (strop.v1 Feedback). No text goes into it unless --sample-share or
    --sample-uncertain say so. strop data from-feedback makes training data of it. Needs pip install
    'strop[redact]'."""
    feedback_megabytes: Option[float] = 64.0
    """The size of that file at most; the oldest answers make room for new ones."""
    sample_share: Option[float] = 0.0
    """The part of all texts, from 0 to 1, that is kept with its answer, personal data masked as strop
    data redact does. Set it to learn from what really comes, where you may keep it."""
    sample_uncertain: Option[float] = 0.0
    """Texts whose answer is less confident than this, from 0 to 1, are kept too: their labels teach
    most. 0 keeps none for that."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` naming the option, its value and the fix."""
        require_at_least(self, feedback_megabytes=1, sample_share=0, sample_uncertain=0)
        for name in ("sample_share", "sample_uncertain"):
            value = getattr(self, name)
            if value > 1:
                raise InputError(f"{flag(name)} is {value}; it is a part, at most 1")
            if value and self.feedback is None:
                raise InputError(f"{flag(name)} is {value}, but nothing is kept; name a file: --feedback")
