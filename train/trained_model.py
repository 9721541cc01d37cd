"""A trained model that can be asked: about the splits it is judged by, and about any other texts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self, cast

from peft import PeftModel
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerFast

from strop.tasks import Example, Floats, Label

from .batches import EncodedSplit
from .encoder import pad_token_id, tells_pairs_apart
from .encoding import encode
from .predict import predict
from .preprocessing import Preprocessing
from .run import Run
from .scores import Scores
from .weights import load_to_score


@dataclass(frozen=True)
class TrainedModel:
    """A model as it lies on disk, with what its texts are encoded by."""

    model: PreTrainedModel | PeftModel
    preprocessing: Preprocessing

    @classmethod
    def of(cls, run: Run) -> Self:
        """That of a run; ``InputError`` when its base model or its weights can't be had."""
        model = load_to_score(run.root, run.base_model, run.task, run.labels, run.method)
        tokenizer = cast(PreTrainedTokenizerFast, AutoTokenizer.from_pretrained(run.tokenizer_file.parent))
        types = tells_pairs_apart(model.config)
        return cls(model, Preprocessing(tokenizer, run.task, run.labels, run.max_tokens, types))

    def ask(
        self, examples: Sequence[Example], *, labelled: bool = True
    ) -> tuple[EncodedSplit, list[Floats]]:
        """The examples as the model saw them, and the task's output for each input."""
        encoded = encode(examples, replace(self.preprocessing, labelled=labelled))
        pad = pad_token_id(self.model.config)
        return encoded, predict(self.model, encoded.items, self.preprocessing.task, pad)

    def guess(self, examples: Sequence[Example]) -> list[tuple[Label, float]]:
        """A label for each example, and the probability of the least sure part of it.

        Only of a task that is ``confident``; labels that the examples have are not looked at.
        """
        encoded, outputs = self.ask(examples, labelled=False)
        task, labels = self.preprocessing.task, self.preprocessing.labels
        return [
            task.guess(example, output, offsets, labels)
            for example, output, offsets in zip(examples, outputs, encoded.offsets, strict=True)
        ]

    def score(self, examples: Sequence[Example]) -> Scores:
        """How good it is on labelled examples."""
        encoded, outputs = self.ask(examples)
        return encoded.score(self.preprocessing.task, outputs, self.preprocessing.labels)
