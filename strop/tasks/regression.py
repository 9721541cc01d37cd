"""Regression: a score for a text, or for how alike two texts are."""

import math
from collections.abc import Sequence
from types import MappingProxyType

import numpy as np

from .counted import ratio
from .scored import PARTS, correlation_tally, correlations, read_number, scores_of
from .task import Example, Floats, Outputs, Result, Span, Tally, Task

SHOWN_DIGITS = 4
SAME = 0.1
"""Two scores are the same answer when they differ by less than this part of the reference's spread."""


class Regression(Task):
    """The output is the score itself."""

    name = "regression"
    summary = "a number for a text, or for a pair of texts, such as how alike they are"
    label_column = "score"
    head = "score"
    metrics = ("spearman", "pearson", "mse")
    lower_is_better = ("mse",)
    one_choice = False
    call = "Score"
    tensors = MappingProxyType({"score": "FP32"})

    def read_label(self, value: object, text: str, pair: str | None) -> float:
        """A finite number."""
        return read_number(value)

    def labels(self, examples: Sequence[Example]) -> tuple[str, ...]:
        """The one output."""
        return ("score",)

    def target(self, example: Example, offsets: Sequence[Span], labels: Sequence[str]) -> float:
        """The score."""
        return float(example.label)  # type: ignore[arg-type]

    def no_target(self, offsets: Sequence[Span], labels: Sequence[str]) -> float:
        """No number."""
        return math.nan

    def activate(self, logits: Floats) -> Floats:
        """As they are."""
        return logits

    def tally(
        self,
        outputs: Outputs,
        offsets: Sequence[Sequence[Span]],
        examples: Sequence[Example],
        labels: Sequence[str],
    ) -> Tally:
        """The moments of outputs and scores, and the squared errors: [n, ``PARTS`` + 1]."""
        found = np.asarray(outputs, dtype=np.float64).reshape(len(examples))
        true = scores_of(examples)
        squared = (found - true)[:, np.newaxis] ** 2
        return np.concatenate((correlation_tally(found, true), squared), axis=1)

    def tally_results(self, results: Sequence[Result], examples: Sequence[Example]) -> Tally:
        """Of scores."""
        return self.tally(np.array(results, dtype=np.float32), (), examples, self.labels(examples))

    def verdict(self, result: Result) -> float:
        """The score, rounded: another batch may tip the last bits of it on some engines."""
        return round(float(result), SHOWN_DIGITS)

    def score(self, totals: Tally) -> dict[str, Tally]:
        """``spearman`` and ``pearson``, see ``correlations``; ``mse``, the mean squared error."""
        return {
            **correlations(totals[..., :PARTS]),
            "mse": ratio(totals[..., PARTS], totals[..., 0]),
        }

    def tensor(
        self, name: str, outputs: Outputs, offsets: Sequence[Sequence[Span]], labels: Sequence[str]
    ) -> Floats:
        """``score`` [n]."""
        return np.asarray(outputs).reshape(len(outputs))

    def agreement(self, outputs: Outputs, reference: Outputs) -> float:
        """The share of texts whose scores differ by less than ``SAME`` of the reference's deviation."""
        ours, theirs = (np.asarray(one, dtype=np.float64).ravel() for one in (outputs, reference))
        return float(np.mean(np.abs(ours - theirs) <= SAME * theirs.std()))
