"""What the tasks have in common whose answer is a vector for each text: texts alike lie close together."""

import zlib
from collections.abc import Sequence
from types import MappingProxyType
from typing import ClassVar, Self

import numpy as np

from .task import Example, Floats, Outputs, Pooling, Span, Task

ALIKE = 0.98
"""Two vectors are the same answer from this cosine on."""


class EmbeddingTask(Task):
    """The output is a vector of the states of a text's tokens, of any length: a cosine doesn't mind it.

    An example is several texts, each embedded on its own.
    """

    loss: ClassVar[str]
    """What its heads are named after; there is one for each pooling."""
    one_choice = False
    several = True
    together = True
    rewording = "never"
    call = "Embed"
    tensors = MappingProxyType({"embedding": "FP32"})
    wide = ("embedding",)

    def __init__(self, pooling: Pooling = "mean") -> None:
        """Runs and bundles that don't say it are from when there was but the mean."""
        self.pooling = pooling
        # A first token is one of each text: the graph computes its last layer for no other.
        self.per_token = pooling == "mean"
        self.head = f"{self.loss}-{pooling}"

    def pooled_by(self, pooling: Pooling | None) -> Self:
        """See ``Task.pooled_by``."""
        return self if pooling is None else type(self)(pooling)

    def labels(self, examples: Sequence[Example]) -> tuple[str, ...]:
        """One name for all of the vector: its dimensions have none."""
        return ("embedding",)

    def activate(self, logits: Floats) -> Floats:
        """As they are."""
        return logits

    def of_input(self, rows: Floats) -> Floats:
        """Their mean over the tokens, [hidden]; summed token by token, the same whatever the batch."""
        return np.asarray(rows.mean(axis=0), dtype=np.float32)

    def tensor(
        self, name: str, outputs: Outputs, offsets: Sequence[Sequence[Span]], labels: Sequence[str]
    ) -> Floats:
        """``embedding`` [n, hidden]."""
        return np.stack(list(outputs))

    def agreement(self, outputs: Outputs, reference: Outputs) -> float:
        """The share of texts whose two vectors have a cosine of ``ALIKE`` or more."""
        cosines = (unit(np.stack(list(outputs))) * unit(np.stack(list(reference)))).sum(axis=1)
        return float(np.mean(cosines >= ALIKE))


def unit(vectors: Floats) -> Floats:
    """Vectors [..., hidden] of length 1; what has no length stays 0."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, np.finfo(np.float32).tiny), dtype=np.float32)


def fingerprint(text: str) -> float:
    """24 bits of the text's CRC-32, which is what a float32 tells apart: equal texts have the same."""
    return float(zlib.crc32(text.encode()) >> 8)
