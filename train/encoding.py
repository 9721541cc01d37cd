"""Examples to the token ids that a model learns from, some at a time."""

from collections.abc import Sequence

from strop.tasks import Example

from .batches import EncodedSplit
from .heads import HEADS
from .preprocessing import Preprocessing

AT_ONCE = 1024
"""Examples that are in memory at a time, enough to keep the tokenizer's threads busy."""


def encode(examples: Sequence[Example], preprocessing: Preprocessing) -> EncodedSplit:
    """A split as the task's head wants it, kept on disk; see ``Head.encode``."""
    head = HEADS[preprocessing.task.head]
    parts = (
        head.encode(examples[start : start + AT_ONCE], preprocessing)
        for start in range(0, len(examples), AT_ONCE)
    )
    return EncodedSplit.joined(examples, parts)
