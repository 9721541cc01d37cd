"""The options of ``strop train`` that say what the training texts are widened by."""

from dataclasses import dataclass
from typing import Annotated, TypeVar

from cyclopts import Group, Parameter

from strop.errors import InputError
from strop.options import require_at_least
from strop.tasks import Task

from . import KINDS

T = TypeVar("T")
GROUP = Group("What the training texts are widened by", sort_key=3)
Option = Annotated[T, Parameter(group=GROUP)]

AUGMENT_HELP = "\n".join(
    (
        "Add changed copies of the training texts; those that validate and test stay as they are. It"
        " helps where a class has tens of texts, hardly where it has thousands.\n",
        *(f"- {kind.name}: {kind.summary}" for kind in KINDS.values()),
    )
)


@dataclass(frozen=True, kw_only=True)
class AugmentationOptions:
    """What the training texts are widened by."""

    augment: Annotated[
        tuple[str, ...], Parameter(group=GROUP, help=AUGMENT_HELP, consume_multiple=True, negative="")
    ] = ()
    copies: Option[int] = 1
    """Copies of a text by each kind of --augment. 4 to 8 for a few hundred texts, 1 for many; training
    takes as much longer."""
    changed_words: Option[float] = 0.1
    """Share of a text's words that a copy has changed, at least one. Above 0.2 labels begin to be wrong."""
    back_translate: Annotated[tuple[str, str] | None, Parameter(group=GROUP, negative="")] = None
    """Add a copy of each text that was translated there and back: two translation models, such as
    Helsinki-NLP/opus-mt-en-de and -de-en, as Hugging Face folders or hub ids. Better copies, and by
    far the slowest."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` naming the option, its value and the fix."""
        for name in self.augment:
            if name not in KINDS:
                raise InputError(f"--augment {name} is not known; give one or more of {', '.join(KINDS)}")
        if len(set(self.augment)) < len(self.augment):
            raise InputError(f"--augment {' '.join(self.augment)}: name each kind once; --copies adds more")
        require_at_least(self, copies=1)
        if not 0 < self.changed_words <= 1:
            raise InputError(f"--changed-words is {self.changed_words}; give a share above 0, such as 0.1")

    def require_labels_hold(self, task: Task) -> None:
        """Raise ``InputError`` for a kind that would make a text's label of this task wrong."""
        kinds = [f"--augment {name}" for name in self.augment if not self._holds(name, task)]
        if self.back_translate and task.rewording != "freely":
            kinds.append("--back-translate")
        if not kinds:
            return
        allowed = [name for name, kind in KINDS.items() if self._holds(name, task)]
        fix = f"give --augment {' or '.join(allowed)}" if allowed else "leave it out"
        raise InputError(f"{kinds[0]} would part texts of {task.name} from what their labels say; {fix}")

    @staticmethod
    def _holds(name: str, task: Task) -> bool:
        return task.rewording == "freely" or (task.rewording == "in place" and KINDS[name].in_place)
