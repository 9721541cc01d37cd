"""What a task is: the contract that every stage works by."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

Label = str | float | tuple[str, ...]
"""What an example is labelled with: a class, a score, or several names."""
Floats = NDArray[np.float32]
Tally = NDArray[np.float64]


@dataclass(frozen=True)
class Example:
    """One labelled text, or a pair of them."""

    text: str
    label: Label
    pair: str | None = None


class Span(NamedTuple):
    """A stretch of a text, in characters: from ``start`` up to ``stop``."""

    start: int
    stop: int


class LabelScores(NamedTuple):
    """How one label fares: a row of a report."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int
    """How often it is true."""


class Task(ABC):
    """One kind of question about a text; every method takes and gives numpy or plain values.

    An *output* is what a model says of one text after ``activate``: float32 of shape [outputs], or
    of a task ``per_token`` [tokens, outputs], special tokens included.
    """

    name: ClassVar[str]
    """As in a manifest; Hugging Face's name where there is one."""
    summary: ClassVar[str]
    """One line for whoever has to choose."""
    text_column: ClassVar[str] = "text"
    """Where the text stands unless the user names another column."""
    label_column: ClassVar[str] = "label"
    head: ClassVar[str] = "AutoModelForSequenceClassification"
    """transformers' class for it."""
    problem_type: ClassVar[str | None] = None
    """What that class chooses its loss by."""
    per_token: ClassVar[bool] = False
    metrics: ClassVar[tuple[str, ...]]
    """What ``score`` gives; the accuracy gate and the choice of a checkpoint go by the first."""

    def read_text(self, value: object) -> str:
        """A text as it stands in a row; ``ValueError`` says what is wrong with it and what to do."""
        if value is None or value == "":
            raise ValueError("is empty; give it a text or remove the row")
        if not isinstance(value, str):
            raise ValueError(f"is {value!r:.60}, not text; quote it")
        if not value.strip():
            raise ValueError("is blank; give it a text or remove the row")
        return value

    @abstractmethod
    def read_label(self, value: object, text: str) -> Label:
        """A label as it stands in ``text``'s row; ``ValueError`` as for a text."""

    @abstractmethod
    def labels(self, examples: Sequence[Example]) -> tuple[str, ...]:
        """The names of a model's outputs, found in its training examples."""

    @abstractmethod
    def target(self, example: Example, offsets: Sequence[Span], labels: Sequence[str]) -> Any:
        """What the loss compares an output with: a number, or a list of them.

        ``offsets`` says which characters of the text each token stands for; none for a special one.
        """

    def activate(self, logits: Floats) -> Floats:
        """Outputs from logits of any shape [..., outputs]: softmax, unless the task has another."""
        shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True), dtype=np.float32)

    @abstractmethod
    def tally(
        self,
        outputs: Sequence[Floats],
        offsets: Sequence[Sequence[Span]],
        examples: Sequence[Example],
        labels: Sequence[str],
    ) -> Tally:
        """What each example adds to the score, [n, counts]: summed over any of them, it can be scored."""

    @abstractmethod
    def score(self, totals: Tally) -> dict[str, Tally]:
        """Each of ``metrics``, of shape [...], from sums of tallies [..., counts]."""

    def label_scores(self, totals: Tally, labels: Sequence[str]) -> list[LabelScores]:
        """How each label fares, from one sum of tallies [counts]; none where there are no labels."""
        return []

    @abstractmethod
    def agreement(self, outputs: Sequence[Floats], reference: Sequence[Floats]) -> float:
        """The share of texts that get the same answer from both."""
