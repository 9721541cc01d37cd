"""What a head is: the contract by which every model is trained, taught and exported."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedTokenizerFast

from strop.tasks import IGNORED, Example, Floats, Task

from ..batches import EncodedSplit
from ..preprocessing import Preprocessing


class Head(ABC):
    """One kind of layer on top of an encoder."""

    name: str
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
    """The parts, by the ends of their names, that an encoder may come without: they are then new, and
    always trained whole."""
    zeros: ClassVar[tuple[str, ...]] = ()
    """Parameters that begin at 0 where a model lacks them, and so need no training to be the same twice."""
    decoder: ClassVar[bool] = False
    """Whether it stands on a model whose tokens see only what came before them, not on an encoder."""
    pretrained: ClassVar[bool] = False
    """Whether a model may bring it along, so that it answers before it is fine-tuned."""
    tolerance: ClassVar[float] = 1e-4
    """Largest absolute difference of a logit between an adapter beside its base and merged into it."""
    tells_tokens: ClassVar[bool] = False
    """Whether its outputs are the tokenizer's tokens, told where a token is hidden."""
    evaluation_batch: ClassVar[int] = 64
    """Texts that are judged at a time."""
    options: ClassVar[Mapping[str, Any]] = MappingProxyType({})
    """What else the model is told in each call."""

    def model_options(self, config: PretrainedConfig) -> Mapping[str, Any]:
        """What its model class is to be loaded with besides."""
        return {}

    def encode(self, examples: Sequence[Example], preprocessing: Preprocessing) -> EncodedSplit:
        """The examples of a split as items; see ``EncodedSplit.of``."""
        return EncodedSplit.of(examples, preprocessing)

    def questions(
        self, examples: Sequence[Example], tokenizer: PreTrainedTokenizerFast, max_tokens: int
    ) -> Sequence[Example]:
        """What an exported model is asked about the examples, with what is right."""
        return examples

    def answers(self, model: nn.Module, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """The logits of a batch and the labels that ``loss`` compares them with, place by place."""
        return logits_of(self, model, batch), batch["labels"]

    def summary(self, logits: Tensor, labels: Tensor) -> Tensor:
        """What is kept of the logits of ``answers`` to be scored, for inputs with these ``labels``."""
        return logits.float()

    def outputs(self, kept: Floats, task: Task) -> Floats:
        """The task's outputs of what ``summary`` kept."""
        return task.activate(kept)

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


def logits_of(head: Head, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
    """What the head makes of a batch, whose ``labels``, if it has any, the model doesn't see."""
    inputs = {name: rows for name, rows in batch.items() if name != "labels"}
    return head.logits(model(**inputs, **head.options), batch["attention_mask"])
