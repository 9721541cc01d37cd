"""Examples to the token ids that a model learns from, some at a time."""

from collections.abc import Sequence

from transformers import PreTrainedTokenizerFast

from strop.tasks import Example, Task

from .batches import EncodedSplit
from .heads import HEADS

AT_ONCE = 1024
"""Examples that are in memory at a time, enough to keep the tokenizer's threads busy."""


def encode(
    examples: Sequence[Example],
    tokenizer: PreTrainedTokenizerFast,
    task: Task,
    labels: Sequence[str],
    max_tokens: int,
    *,
    token_types: bool = False,
    labelled: bool = True,
) -> EncodedSplit:
    """A split as the task's head wants it, kept on disk; see ``Head.encode``."""
    head = HEADS[task.head]
    parts = (
        head.encode(
            examples[start : start + AT_ONCE],
            tokenizer,
            task,
            labels,
            max_tokens,
            token_types=token_types,
            labelled=labelled,
        )
        for start in range(0, len(examples), AT_ONCE)
    )
    return EncodedSplit.joined(examples, parts)
