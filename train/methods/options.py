"""The options of ``strop train`` that say which weights are trained."""

from dataclasses import dataclass
from typing import Annotated, TypeVar

from cyclopts import Group, Parameter

from strop.errors import InputError
from strop.options import flag, require_at_least

from . import METHODS, Method

T = TypeVar("T")
GROUP = Group("What is trained", sort_key=1)
Option = Annotated[T, Parameter(group=GROUP)]

METHOD_HELP = "\n".join(
    (
        "Which weights are trained; the head always is.\n",
        *(f"- {method.name}: {method.summary}" for method in METHODS.values()),
    )
)


@dataclass(frozen=True, kw_only=True)
class MethodOptions:
    """Which weights are trained, and how far each step takes them."""

    method: Annotated[str, Parameter(group=GROUP, help=METHOD_HELP)] = "lora"
    lora_rank: Option[int] = 16
    """Rank of the matrices that lora, dora and adalora add. Raise it if the training loss stays high;
    4 to 64 is usual."""
    lora_alpha: Option[int | None] = None
    """Scale of the added matrices. Default: twice the rank, which keeps the learning rate right
    when the rank changes."""
    lora_dropout: Option[float] = 0.0
    """Share of the added matrices' inputs dropped in training. Try 0.05 to 0.1 where a few hundred
    examples are learnt by heart; on a CPU it makes a step about a quarter slower."""
    virtual_tokens: Option[int] = 20
    """Trained vectors that prefix, prompt and p-tuning put before a text; they count as tokens of it.
    More can say more and cost time."""
    learning_rate: Option[float | None] = None
    """Peak of the linear schedule. Default: one that suits the method, 1e-3 for lora and 5e-5 for
    full. Halve it if the loss jumps about."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` naming the option, its value and the fix."""
        if self.method not in METHODS:
            raise InputError(f"--method is {self.method!r}; give one of {', '.join(METHODS)}")
        require_at_least(self, lora_rank=1, virtual_tokens=1)
        for name in ("lora_alpha", "learning_rate"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InputError(f"{flag(name)} is {value}; it must be above 0")
        if not 0 <= self.lora_dropout < 1:
            raise InputError(f"--lora-dropout is {self.lora_dropout}; give a share from 0 to below 1")

    @property
    def chosen_method(self) -> Method:
        """The method itself."""
        return METHODS[self.method]

    @property
    def peak_learning_rate(self) -> float:
        """The learning rate, with its default resolved by method."""
        return self.chosen_method.learning_rate if self.learning_rate is None else self.learning_rate

    @property
    def alpha(self) -> int:
        """LoRA's alpha, with its default resolved."""
        return 2 * self.lora_rank if self.lora_alpha is None else self.lora_alpha

    @property
    def extra_tokens(self) -> int:
        """Positions that the method takes up before each text."""
        return self.virtual_tokens if self.chosen_method.virtual_tokens else 0
