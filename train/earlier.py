"""The options of ``strop train`` that say what is learnt from earlier runs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

from cyclopts import Group, Parameter

from strop.errors import InputError
from strop.tasks import Task

T = TypeVar("T")
GROUP = Group("What is learnt from earlier runs", sort_key=4)
Option = Annotated[T, Parameter(group=GROUP)]


@dataclass(frozen=True, kw_only=True)
class EarlierRunOptions:
    """What is learnt from earlier runs."""

    unlabelled: Option[Path | None] = None
    """Texts that --teacher labels, in a file of any format that data comes in; a label column is not
    looked at. For few labelled texts and many without."""
    teacher: Option[Path | None] = None
    """The finished run that labels them, of the same task and labels: one on the labelled texts alone,
    mostly of a larger encoder."""
    confidence_floor: Option[float] = 0.9
    """Smallest probability, of the least sure part of a text's label, at which the text joins the
    training split. Higher brings fewer wrong labels, and fewer texts that teach anything."""
    from_: Annotated[Path | None, Parameter(name="--from", group=GROUP)] = None
    """Go on from this finished run of the same task instead of a --model, on new data: its weights and
    head are kept, a label that it didn't have gets a new row, and the report says what it forgot: the
    score on its own test split before and after."""
    replay: Option[float] = 0.1
    """With --from: share of that run's training split that is learnt again beside the new data. More
    forgets less and takes longer; 0 leaves it out."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` naming the option, its value and the fix."""
        if (self.unlabelled is None) != (self.teacher is None):
            given, lacking = (
                ("--unlabelled", "--teacher") if self.unlabelled else ("--teacher", "--unlabelled")
            )
            raise InputError(f"{given} needs {lacking}; give both, or neither")
        if not 0 < self.confidence_floor < 1:
            raise InputError(
                f"--confidence-floor is {self.confidence_floor}; give a probability between 0 and 1"
            )
        if not 0 <= self.replay <= 1:
            raise InputError(f"--replay is {self.replay}; give a share from 0 to 1, such as 0.1")

    def require_confidence(self, task: Task) -> None:
        """Raise ``InputError`` where a teacher can't say how sure it is of this task's answers."""
        if self.teacher and not task.confident:
            raise InputError(
                f"--teacher {self.teacher}: an answer of {task.name} has no probability to hold against"
                " --confidence-floor; leave it out"
            )
