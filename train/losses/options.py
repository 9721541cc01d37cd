"""The options of ``strop train`` that say what is minimised."""

from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

from cyclopts import Group, Parameter

from strop.errors import InputError
from strop.options import flag, require_at_least

T = TypeVar("T")
Option = Annotated[T, Parameter(group=Group("What is minimised", sort_key=2))]


@dataclass(frozen=True, kw_only=True)
class LossOptions:
    """The loss and what keeps the model from learning the training texts by heart."""

    weight_decay: Option[float] = 0.01
    """Pull of the trained weights towards zero. Raise it when validation loss rises early."""
    encoder_dropout: Option[float | None] = None
    """Share of the encoder's activations dropped in training. Default: the model's own, 0.1 mostly. 0
    is quicker, and often better with lora on much data."""
    head_dropout: Option[float | None] = None
    """Share of the head's inputs dropped in training. Default: the model's own, 0.1 mostly."""
    label_smoothing: Option[float] = 0.0
    """Share of each label spread over all classes: probabilities come out less sure. 0.1 is usual, and
    helps where labels are noisy."""
    class_weights: Option[Literal["none", "balanced"]] = "none"
    """balanced counts a text by how rare its class is. Where classes are skewed, that finds more of the
    rare ones and mistakes more of the frequent."""
    focal_gamma: Option[float] = 0.0
    """Focal loss: texts that are nearly right count less, the more so the higher; 2 is usual. Another
    answer to skew."""
    r_drop: Option[float] = 0.0
    """Weight of the difference between two dropout passes over each text (R-Drop); 0.5 to 4 is usual.
    It often gains a little accuracy on little data, and a step takes twice as long."""
    adversarial: Option[Literal["none", "fgm", "pgd"]] = "none"
    """Train also on word embeddings moved to where the loss is higher: fgm by one step (twice the time),
    pgd by several. It makes the model steadier against noise in the text."""
    adversarial_epsilon: Option[float] = 0.1
    """How far the embeddings of a text are moved, all of its tokens together (L2 norm); one token's
    is about 1.1 long in MiniLM, 1.4 in BERT. Lower it if the loss doesn't fall: at 1 MiniLM learnt
    nothing."""
    adversarial_steps: Option[int] = 3
    """Steps of pgd; each costs a pass."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` naming the option, its value and the fix."""
        require_at_least(self, weight_decay=0, focal_gamma=0, r_drop=0, adversarial_steps=1)
        for name in ("encoder_dropout", "head_dropout", "label_smoothing"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < 1:
                raise InputError(f"{flag(name)} is {value}; give a share from 0 to below 1")
        if not self.adversarial_epsilon > 0:
            raise InputError(f"--adversarial-epsilon is {self.adversarial_epsilon}; it must be above 0")

    @property
    def class_option(self) -> str | None:
        """The first option given that only makes sense where an answer is one of some classes."""
        for name in ("label_smoothing", "focal_gamma", "r_drop"):
            if getattr(self, name):
                return flag(name)
        return "--class-weights" if self.class_weights != "none" else None
