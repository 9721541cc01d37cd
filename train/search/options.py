"""The options of ``strop train`` that say which other options are tried, and for how long."""

from dataclasses import dataclass, field
from typing import Annotated, TypeVar

from cyclopts import Group, Parameter

from strop.errors import InputError
from strop.options import require_at_least

T = TypeVar("T")
GROUP = Group("Which options are searched for", sort_key=4)
Option = Annotated[T, Parameter(group=GROUP)]
MINUTES = 30.0


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """A search for better options than those that are given."""

    search: Annotated[bool, Parameter(group=GROUP, negative="")] = False
    """Train with other options, too, and keep the best run by --metric on the validation split; the
    test split is scored once, for that run. A training that falls behind is given up early. What was
    tried stays in OUT/trials: after an interruption the same command goes on."""
    minutes: Option[float | None] = None
    """How long a search may take, with the time before an interruption. Default: 30 where --trials
    doesn't say when it ends."""
    trials: Option[int | None] = None
    """How many trainings a search may try, the given options first."""
    space: Annotated[dict[str, list[str]], Parameter(group=GROUP, consume_multiple=True, negative="")] = (
        field(default_factory=dict)
    )
    """Where a search looks for an option, as --space.learning-rate 1e-4 1e-3, or [train.space] in a TOML
    file: two numbers are the ends of a range; one value is kept, and three or more are choices.
    Default: round the given values of learning_rate, epochs, batch_size, warmup_share, weight_decay,
    encoder_dropout, and, where they apply, lora_rank, virtual_tokens and label_smoothing."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` naming the option, its value and the fix."""
        if self.minutes is not None and not 0 < self.minutes < float("inf"):
            raise InputError(f"--minutes is {self.minutes}; it must be above 0")
        if self.trials is not None:
            require_at_least(self, trials=1)
        for name in ("minutes", "trials"):
            if not self.search and (value := getattr(self, name)) is not None:
                raise InputError(
                    f"--{name} is {value}, and nothing is searched; add --search, or leave it out"
                )

    @property
    def seconds_to_search(self) -> float:
        """How long a search may take; without end where the number of trials ends it."""
        if self.minutes is None:
            return 60 * MINUTES if self.trials is None else float("inf")
        return 60 * self.minutes
