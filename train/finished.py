"""A finished model that can be asked: about the splits it is judged by, and about any other texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, cast

from peft import PeftModel
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerFast

from strop.tasks import Example, Floats, Label, Task

from .batches import EncodedSplit
from .encoder import pad_token_id, tells_pairs_apart
from .encoding import encode
from .predict import predict
from .run import Run
from .scores import Scores
from .weights import load_to_score


@dataclass(frozen=True)
class FinishedModel:
    """A model as it lies on disk, with what its texts are encoded by."""

    model: PreTrainedModel | PeftModel
    tokenizer: PreTrainedTokenizerFast
    task: Task
    labels: Sequence[str]
    """The names of its outputs."""
    max_tokens: int

    @classmethod
    def of(cls, run: Run) -> Self:
        """That of a run; ``InputError`` when its base model or its weights can't be had."""
        model = load_to_score(run.root, run.base_model, run.task, run.labels, run.method)
        tokenizer = cast(PreTrainedTokenizerFast, AutoTokenizer.from_pretrained(run.tokenizer_file.parent))
        return cls(model, tokenizer, run.task, run.labels, run.max_tokens)

    def ask(
        self, examples: Sequence[Example], *, labelled: bool = True
    ) -> tuple[EncodedSplit, list[Floats]]:
        """The examples as the model saw them, and the task's output for each input."""
        encoded = encode(
            examples,
            self.tokenizer,
            self.task,
            self.labels,
            self.max_tokens,
            token_types=tells_pairs_apart(self.model.config),
            labelled=labelled,
        )
        pad = pad_token_id(self.model.config)
        return encoded, predict(self.model, encoded.items, self.task, pad)

    def guess(self, examples: Sequence[Example]) -> list[tuple[Label, float]]:
        """A label for each example, and the probability of the least sure part of it.

        Only of a task that is ``confident``; labels that the examples have are not looked at.
        """
        encoded, outputs = self.ask(examples, labelled=False)
        return [
            self.task.guess(example, output, offsets, self.labels)
            for example, output, offsets in zip(examples, outputs, encoded.offsets, strict=True)
        ]

    def score(self, examples: Sequence[Example]) -> Scores:
        """How good it is on labelled examples."""
        encoded, outputs = self.ask(examples)
        return encoded.score(self.task, outputs, self.labels)
