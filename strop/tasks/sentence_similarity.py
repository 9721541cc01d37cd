"""Sentence similarity: the cosine of two texts' vectors says how alike they are."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from .embedding import EmbeddingTask, unit
from .scored import correlation_tally, correlations, read_number, scores_of
from .task import Example, Floats, Span, Tally


class SentenceSimilarity(EmbeddingTask):
    """Learns the order of the scores: their scale is free."""

    name = "sentence-similarity"
    summary = (
        "a vector for each text, learnt from pairs with a score of how alike they are; regression with"
        " --pair-column is more accurate, but computes every pair anew, where vectors are kept and compared"
    )
    pair_column = "text_pair"
    label_column = "score"
    loss = "cosent"
    metrics = ("spearman", "pearson")

    def read_label(self, value: object, text: str, pair: str | None) -> float:
        """A finite number."""
        return read_number(value)

    def inputs(self, example: Example) -> tuple[Example, ...]:
        """Both texts; the first has the score."""
        return (Example(example.text, example.label), Example(str(example.pair), math.nan))

    def refuse(self, parts: Mapping[str, Sequence[Example]]) -> None:
        """Where one score is as high as the other."""
        for name, part in parts.items():
            first = part[0].label
            if all(example.label == first for example in part):
                raise ValueError(f"every score of the {name} split is {first}; give others")

    def target(self, example: Example, offsets: Sequence[Span], labels: Sequence[str]) -> float:
        """The score of the input and of the one after it."""
        return float(example.label)  # type: ignore[arg-type]

    def no_target(self, offsets: Sequence[Span], labels: Sequence[str]) -> float:
        """No number."""
        return math.nan

    def tally(
        self,
        outputs: Sequence[Sequence[Floats]],
        offsets: Sequence[Sequence[Sequence[Span]]],
        examples: Sequence[Example],
        labels: Sequence[str],
    ) -> Tally:
        """What correlates the cosines with the scores, see ``correlation_tally``."""
        first, second = (unit(np.stack(side)) for side in zip(*outputs, strict=True))
        cosines = (first * second).sum(axis=1).astype(np.float64)
        return correlation_tally(cosines, scores_of(examples))

    def score(self, totals: Tally) -> dict[str, Tally]:
        """``spearman`` and ``pearson``, see ``correlations``."""
        return correlations(totals)
