"""What a head is: the contract by which every model is trained, taught and exported."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor
from transformers import PretrainedConfig

from strop.tasks import IGNORED


class Head(ABC):
    """One kind of layer on top of an encoder."""

    name: ClassVar[str]
    """What a task calls it by."""
    model_class: ClassVar[str]
    """transformers' class of encoder and head."""
    adapter_type: ClassVar[str]
    """peft's name for that class."""
    problem_type: ClassVar[str | None] = None
    """What transformers, where it loads the model later, knows the answers' kind by."""
    of_classes: ClassVar[bool] = False
    """Whether a label is one of the classes that the logits are of: what a loss over classes needs."""
    modules: ClassVar[tuple[str, ...]] = ("classifier",)
    """The parts that an encoder may come without: they are then new, and always trained whole."""

    def model_options(self, config: PretrainedConfig) -> Mapping[str, Any]:
        """What its model class is to be loaded with besides."""
        return {}

    def logits(self, outputs: Any, mask: Tensor) -> Tensor:
        """[n, outputs] or [n, tokens, outputs] from what the model gave for inputs whose real tokens
        are 1 in ``mask`` [n, tokens].
        """
        logits: Tensor = outputs.logits
        return logits

    @abstractmethod
    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The mean over what has a label, a scalar; 0 if nothing has.

        ``labels`` are as ``Collator`` makes them of the task's targets.
        """


def labelled(labels: Tensor) -> Tensor:
    """Where there is a label, of the labels' own shape: ids may be ``IGNORED``, numbers NaN."""
    return ~labels.isnan() if labels.is_floating_point() else labels != IGNORED
