"""Multi-label classification: any number of labels for a text, also none."""

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from .counted import CountedTask, joined, macro_f1, micro_f1
from .task import Example, Floats, Outputs, Result, Span, Tally

SEPARATOR = "|"
"""Between the labels of a text in formats without lists."""
THRESHOLD = 0.5
"""A label is given from this probability on."""


class MultiLabelClassification(CountedTask):
    """A sigmoid for each label."""

    name = "multi-label-classification"
    summary = f"any number of labels for a text: a list, or names with {SEPARATOR} between them"
    label_column = "labels"
    head = "many-labels"
    metrics = ("micro_f1", "macro_f1")
    one_choice = False

    def read_label(self, value: object, text: str, pair: str | None) -> tuple[str, ...]:
        """Sorted names, each once."""
        if value is None or value == "":
            return ()
        names = value.split(SEPARATOR) if isinstance(value, str) else value
        if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
            raise ValueError(f"is {value!r:.60}; give a list of names, or names with {SEPARATOR} between")
        if not all(name.strip() for name in names):
            raise ValueError(f"is {value!r:.60}, with an empty name; remove it")
        return tuple(sorted({name.strip() for name in names}))

    def labels(self, examples: Sequence[Example]) -> tuple[str, ...]:
        """All names, sorted."""
        return tuple(sorted(set(self.named(examples))))

    def named(self, examples: Iterable[Example]) -> Iterator[str]:
        """The labels of each."""
        return (name for example in examples for name in _names(example))

    def target(self, example: Example, offsets: Sequence[Span], labels: Sequence[str]) -> list[float]:
        """1 for each label that is true, else 0."""
        return [float(label in _names(example)) for label in labels]

    def no_target(self, offsets: Sequence[Span], labels: Sequence[str]) -> list[float]:
        """Not even that it has none of them."""
        return [math.nan] * len(labels)

    def guess(
        self, example: Example, output: Floats, offsets: Sequence[Span], labels: Sequence[str]
    ) -> tuple[tuple[str, ...], float]:
        """The labels that are given; as sure as the one that is nearest to being given or not."""
        names = (label for label, value in zip(labels, output, strict=True) if value >= THRESHOLD)
        return tuple(sorted(names)), float(np.maximum(output, 1 - output).min())

    def activate(self, logits: Floats) -> Floats:
        """The sigmoid, in the form that doesn't overflow."""
        return np.asarray(0.5 * (1 + np.tanh(0.5 * logits)), dtype=np.float32)

    def tally(
        self,
        outputs: Outputs,
        offsets: Sequence[Sequence[Span]],
        examples: Sequence[Example],
        labels: Sequence[str],
    ) -> Tally:
        """See ``CountedTask``."""
        guesses = np.asarray(outputs) >= THRESHOLD
        truths = np.array([self.target(example, (), labels) for example in examples])
        return joined(guesses * truths, guesses.astype(np.float64), truths)

    def tally_results(self, results: Sequence[Result], examples: Sequence[Example]) -> Tally:
        """Of (label, score) pairs; a label that isn't told is not given."""
        told = [dict(result) for result in results]
        labels = sorted({*self.named(examples), *(label for one in told for label in one)})
        outputs = np.array([[one.get(label, 0.0) for label in labels] for one in told], dtype=np.float32)
        return self.tally(outputs, (), examples, labels)

    def verdict(self, result: Result) -> frozenset[str]:
        """The labels that are given."""
        return frozenset(label for label, score in result if score >= THRESHOLD)

    def score(self, totals: Tally) -> dict[str, Tally]:
        """``micro_f1`` over all labels together, and ``macro_f1``, which counts every label alike."""
        return {"micro_f1": micro_f1(totals), "macro_f1": macro_f1(totals)}

    def agreement(self, outputs: Outputs, reference: Outputs) -> float:
        """The share of texts that get the same labels."""
        ours, theirs = (np.asarray(one) >= THRESHOLD for one in (outputs, reference))
        return float((ours == theirs).all(axis=1).mean())


def _names(example: Example) -> tuple[str, ...]:
    assert isinstance(example.label, tuple)  # noqa: S101
    return example.label
