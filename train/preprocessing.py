"""How a model sees the examples of its task."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from transformers import PreTrainedTokenizerFast

from strop.tasks import Example, Span, Task


@dataclass(frozen=True)
class Preprocessing:
    """What makes token ids and targets of examples."""

    tokenizer: PreTrainedTokenizerFast
    task: Task
    labels: Sequence[str]
    """The names of the model's outputs."""
    max_tokens: int
    """What is longer is cut off, or read window by window where the task has windows."""
    token_types: bool = False
    """Whether each token of a pair says which text it is of, for a model that asks."""
    labelled: bool = True
    """Whether examples have labels that are to be looked at."""

    def target(self, example: Example, offsets: Sequence[Span]) -> Any:
        """An input's target, or the one of an input without a label; see ``Task.target``."""
        if not self.labelled:
            return self.task.no_target(offsets, self.labels)
        return self.task.target(example, offsets, self.labels)
