"""Regression: a score for a text, or for how alike two texts are."""

import math
from collections.abc import Sequence
from types import MappingProxyType

import numpy as np

from .counted import ratio
from .task import Example, Floats, Outputs, Result, Span, Tally, Task

ROUNDING = 1e-12
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
        try:
            if isinstance(value, bool) or not isinstance(value, int | float | str):
                raise TypeError
            number = float(value)
        except (TypeError, ValueError) as error:
            raise ValueError(f"is {value!r:.60}; give a number") from error
        if not math.isfinite(number):
            raise ValueError(f"is {value!r:.60}; give a finite number")
        return number

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
        """The moments of outputs and scores, of their ranks, and the squared errors: [n, 12]."""
        found = np.asarray(outputs, dtype=np.float64).reshape(len(examples))
        true = np.array([example.label for example in examples], dtype=np.float64)
        squared = (found - true)[:, np.newaxis] ** 2
        ranks = _moments(_ranks(found), _ranks(true))[:, 1:]
        return np.concatenate((_moments(found, true), ranks, squared), axis=1)

    def tally_results(self, results: Sequence[Result], examples: Sequence[Example]) -> Tally:
        """Of scores."""
        return self.tally(np.array(results, dtype=np.float32), (), examples, self.labels(examples))

    def verdict(self, result: Result) -> float:
        """The score, rounded: another batch may tip the last bits of it on some engines."""
        return round(float(result), SHOWN_DIGITS)

    def score(self, totals: Tally) -> dict[str, Tally]:
        """``spearman`` and ``pearson``, the correlation of ranks and of values, 0 where one of them is
        constant; ``mse``, the mean squared error.
        """
        count = totals[..., :1]
        return {
            "spearman": _correlation(np.concatenate((count, totals[..., 6:11]), -1)),
            "pearson": _correlation(totals[..., :6]),
            "mse": ratio(totals[..., 11], totals[..., 0]),
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


def _moments(x: Tally, y: Tally) -> Tally:
    """1, x, y, x², y² and xy of each, [n, 6], centred: correlations don't mind, and sums stay exact."""
    x, y = x - x.mean(), y - y.mean()
    return np.stack((np.ones_like(x), x, y, x * x, y * y, x * y), axis=-1)


def _correlation(sums: Tally) -> Tally:
    """Pearson's coefficient [...] from sums of ``_moments`` [..., 6]."""
    n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
    return ratio(n * xy - x * y, np.sqrt(_spread(n, x, xx) * _spread(n, y, yy)))


def _spread(n: Tally, x: Tally, xx: Tally) -> Tally:
    """n² times the variance; 0 where only rounding is left of it."""
    spread = n * xx - x * x
    return np.where(spread > ROUNDING * n * xx, spread, 0.0)


def _ranks(values: Tally) -> Tally:
    """1 for the smallest; equal ones share the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse], dtype=np.float64)
