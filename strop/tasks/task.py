"""What a task is: the contract that every stage works by."""

from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, ClassVar, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

Answers = tuple[tuple[int, str], ...]
"""Where each answer starts in its context, in characters, and its text."""
Label = str | float | tuple[Any, ...]
"""What an example is labelled with: a class, a score, several names, or ``Answers``."""
Floats = NDArray[np.float32]
Outputs = Floats | Sequence[Floats]
"""One output for each of n inputs: [n, outputs], or of each input [tokens, outputs]."""
Tally = NDArray[np.float64]
IGNORED = -100
"""The target of a text or token that has no class: what torch's losses leave out. Of numbers it is NaN."""
Result = Any
"""What a server tells of an example instead of outputs: labels with scores, a score, entities."""
Pooling = Literal["mean", "cls"]
"""What a text's vector is of the states of its tokens: their mean, or the first one's."""
Span = tuple[int, int]
"""A stretch of a text: the first character, and the one after the last."""
T = TypeVar("T")


@dataclass(frozen=True)
class Example:
    """One labelled text, or a pair of them."""

    text: str
    label: Label | None
    """None where the task can do without."""
    pair: str | None = None


class LabelScores(NamedTuple):
    """How one label fares: a row of a report."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int
    """How often it is true."""


def softmax(logits: Floats) -> Floats:
    """Probabilities, float32, along the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True), dtype=np.float32)


def by_example(flat: Sequence[T], counts: Sequence[int]) -> list[Sequence[T]]:
    """What was found for all inputs, in lists for examples of so many inputs each."""
    return [flat[start:stop] for start, stop in pairwise(accumulate(counts, initial=0))]


class Task(ABC):
    """One kind of question about a text; every method takes and gives numpy or plain values.

    An *input* is a text, or a pair, as the model is given it; most tasks ask one for an example. An
    *output* is what a model says of one input: float32 of shape [outputs], or of a task ``per_token``
    mostly [tokens, outputs], special tokens included.
    """

    name: ClassVar[str]
    """As in a manifest; Hugging Face's name where there is one."""
    summary: ClassVar[str]
    """One line for whoever has to choose."""
    text_column: ClassVar[str] = "text"
    """Where the text stands unless the user names another column."""
    pair_column: ClassVar[str | None] = None
    """Where a second text stands, for a task that can't do without."""
    label_column: ClassVar[str | None] = "label"
    """None for a task without labels."""
    answer_column: ClassVar[str | None] = None
    """Where the right answer stands beside a question that a benchmark asks, of a task without labels."""
    label_optional: ClassVar[bool] = False
    """Whether a row may lack that column."""
    takes_pairs: ClassVar[bool] = True
    """Whether two texts may be judged together."""
    head: str
    """The name in ``strop.train.heads`` of what stands on the encoder."""
    one_choice: ClassVar[bool] = True
    """Whether an output is the probabilities of one choice, which add up to 1."""
    per_token: bool = False
    """Whether a graph has an output for each token; ``of_input`` may make one of them."""
    pooling: Pooling | None = None
    """How an input's tokens become its vector, of a task whose output is one."""
    several: ClassVar[bool] = False
    """Whether an example may be more than one input. ``tally`` is then given, for each example, the
    list of its outputs and the list of their offsets."""
    together: ClassVar[bool] = False
    """Whether an example's inputs are learnt in one batch."""
    windowed: ClassVar[bool] = False
    """Whether the second text of a pair is read window by window where it is too long, each window an
    input, instead of being cut off. ``offsets`` are then those of the second text alone."""
    fewest_tokens: ClassVar[int] = 3
    """What a model must take at least."""
    confident: ClassVar[bool] = False
    """Whether ``guess`` can say how sure an output is."""
    rewording: ClassVar[Literal["freely", "in place", "never"]] = "freely"
    """How words of a text may be changed with its label still right: moved, put in and left out, or only
    each replaced by another."""
    served: ClassVar[bool] = True
    """Whether a run can be exported and served; if not, it can be trained and merged."""
    cuttable: ClassVar[bool] = True
    """Whether export can cut layers, heads, neurons and vocabulary of its model."""
    call: ClassVar[str] = "Classify"
    """The typed call that answers it."""
    tensors: ClassVar[Mapping[str, str]]
    """An answer on the Open Inference Protocol: the outputs that ``tensor`` gives, with their datatypes."""
    wide: ClassVar[tuple[str, ...]] = ("probabilities",)
    """Those of them that have, for each text, as many numbers as a model has outputs."""
    metrics: ClassVar[tuple[str, ...]]
    """What ``score`` gives; the accuracy gate and the choice of a checkpoint go by the first."""
    lower_is_better: ClassVar[tuple[str, ...]] = ()
    """Those of them that measure errors."""

    @property
    def wire_metrics(self) -> tuple[str, ...]:
        """Those of them that what a server told can be scored by."""
        return self.metrics

    @property
    def reads_offsets(self) -> bool:
        """Whether an answer needs to know where in the text its tokens stand."""
        return self.per_token and self.pooling is None

    def pooled_by(self, pooling: Pooling | None) -> "Task":
        """The same question, with vectors made in that way; as it is for None.

        Raises ``ValueError`` with the fix if its output is no vector.
        """
        if pooling is not None:
            raise ValueError(f"{self.name} makes no vectors; leave it out")
        return self

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
    def read_label(self, value: object, text: str, pair: str | None) -> Label:
        """A label as it stands in the row of ``text`` and ``pair``; ``ValueError`` as for a text."""

    def inputs(self, example: Example) -> Sequence[Example]:
        """What the model is asked for an example, each as an example with a target of its own."""
        return (example,)

    @abstractmethod
    def labels(self, examples: Sequence[Example]) -> tuple[str, ...]:
        """The names of a model's outputs, found in its training examples."""

    def refuse(self, parts: Mapping[str, Sequence[Example]]) -> None:
        """Raise ``ValueError`` with the fix if nothing can be learnt from the splits, by their names."""
        known = self.labels(parts["train"])
        for name, part in parts.items():
            refuse_unknown(name, self.labels(part), known)

    def named(self, examples: Iterable[Example]) -> Iterator[str]:
        """Every label that is true of any of them, as often as it is; none where labels are numbers."""
        return iter(())

    def words(self, example: Example) -> list[Span]:
        """Where the words are that have labels of their own; none unless the task is ``per_token``."""
        return []

    def of_examples(self, found: Any, counts: Sequence[int]) -> Any:
        """What was found for all inputs as ``tally`` wants it, for examples of so many inputs each."""
        return by_example(found, counts) if self.several else found

    @abstractmethod
    def target(self, example: Example, offsets: Sequence[Span], labels: Sequence[str]) -> Any:
        """What the loss compares an output with: a number, or a list of them.

        ``offsets`` says which characters of the text each token stands for; none for a special one.
        """

    def no_target(self, offsets: Sequence[Span], labels: Sequence[str]) -> Any:
        """The target, of the same shape, of an input that has no label."""
        return IGNORED

    def guess(
        self, example: Example, output: Floats, offsets: Sequence[Span], labels: Sequence[str]
    ) -> tuple[Label, float]:
        """The label that an output gives to its example, and the probability of the least sure part of it.

        ``NotImplementedError`` unless the task is ``confident``.
        """
        raise NotImplementedError(f"{self.name} has answers without a probability")

    def activate(self, logits: Floats) -> Floats:
        """Outputs from logits of any shape [..., outputs]: softmax, unless the task has another."""
        return softmax(logits)

    def of_input(self, rows: Floats) -> Floats:
        """An input's output from what ``activate`` made of its tokens, [tokens, outputs]."""
        return rows

    def scored(self, outputs: Outputs, examples: Sequence[Example]) -> Outputs:
        """What ``tally`` wants of the outputs of inputs, each given as an example: all, unless that is
        too much to be kept for a whole split.
        """
        return outputs

    def told(self, outputs: Outputs) -> Outputs:
        """What a server keeps of outputs to answer with, and a bundle to be checked by: all, likewise."""
        return outputs

    def difference(self, found: Floats, wanted: Floats) -> float:
        """The largest absolute difference of two outputs as ``told``; NaN if one has a NaN."""
        return float(np.abs(found - wanted).max())

    @abstractmethod
    def tally(
        self,
        outputs: Any,
        offsets: Any,
        examples: Sequence[Example],
        labels: Sequence[str],
    ) -> Tally:
        """What each example adds to the score, [n, counts]: summed over any of them, it can be scored."""

    def tally_results(self, results: Sequence[Result], examples: Sequence[Example]) -> Tally | None:
        """``tally`` of what a server told instead of outputs; ``None`` where that can't be scored."""
        return None

    @abstractmethod
    def score(self, totals: Tally) -> dict[str, Tally]:
        """Each of ``metrics``, of shape [...], from sums of tallies [..., counts]."""

    def label_scores(self, totals: Tally, labels: Sequence[str]) -> list[LabelScores]:
        """How each label fares, from one sum of tallies [counts]; none where there are no labels."""
        return []

    def confusion(
        self, outputs: Outputs, examples: Sequence[Example], labels: Sequence[str]
    ) -> tuple[tuple[int, ...], ...]:
        """Counts [true class, guessed class]; empty where a text has not just one class."""
        return ()

    @abstractmethod
    def tensor(self, name: str, outputs: Any, offsets: Any, labels: Sequence[str]) -> Floats | list[str]:
        """One of ``tensors`` for n texts: FP32 of shape [n, ...], or n strings for BYTES.

        Of a task that is ``windowed``, outputs and offsets are lists of those of a text's windows.
        """

    def verdict(self, result: Result) -> Hashable:
        """What a result comes to: two that have the same are the same answer."""
        whole: Hashable = result
        return whole

    @abstractmethod
    def agreement(self, outputs: Outputs, reference: Outputs) -> float:
        """The share of texts that get the same answer from both."""


def refuse_unknown(split: str, labels: Iterable[str], known: Sequence[str]) -> None:
    """Raise ``ValueError`` for a label of a split that training doesn't have."""
    for label in labels:
        if label not in known:
            raise ValueError(
                f"label {label!r} is in the {split} split but not in train (which has"
                f" {', '.join(known)}); give train examples of it"
            )
