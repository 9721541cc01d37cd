"""What the tasks have in common whose answer is a vector for each text: texts alike lie close together."""

import zlib
from collections.abc import Sequence
from types import MappingProxyType

import numpy as np

from .task import Example, Floats, Outputs, Span, Task

ALIKE = 0.98
"""Two vectors are the same answer from this cosine on."""


class EmbeddingTask(Task):
    """The output is the mean of the states of a text's tokens, of any length: a cosine doesn't mind it.

    An example is several texts, each embedded on its own.
    """

    one_choice = False
    per_token = True
    pooled = True
    several = True
    together = True
    rewording = "never"
    call = "Embed"
    tensors = MappingProxyType({"embedding": "FP32"})
    wide = ("embedding",)

    def labels(self, examples: Sequence[Example]) -> tuple[str, ...]:
        """One name for all of the vector: its dimensions have none."""
        return ("embedding",)

    def activate(self, logits: Floats) -> Floats:
        """As they are."""
        return logits

    def of_input(self, rows: Floats) -> Floats:
        """The mean over the tokens, [hidden]; summed token by token, the same whatever the batch."""
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
