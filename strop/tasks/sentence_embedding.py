"""Sentence embedding: a text's vector is near those of the texts that belong with it; for search."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from .counted import ratio
from .embedding import EmbeddingTask, fingerprint, unit
from .task import Example, Floats, Span, Tally

ANCHOR, POSITIVE, NEGATIVE = range(3)
"""What a text is to its example."""
CUTS = (1, 5, 10)
CHUNK = 512


class SentenceEmbedding(EmbeddingTask):
    """Learns which positive is whose among those of the batch, and finds it among those of the split."""

    name = "sentence-embedding"
    summary = (
        "a vector for each text, learnt from texts that belong together, such as questions and answers, and"
        " from negatives that only look alike, where a row has one; every other positive of the batch is a"
        " negative, so a larger --batch-size teaches more"
    )
    text_column = "anchor"
    pair_column = "positive"
    label_column = "negative"
    label_optional = True
    loss = "contrast"
    metrics = ("recall_at_1", "recall_at_5", "recall_at_10", "mrr")

    def read_label(self, value: object, text: str, pair: str | None) -> str:
        """A text that is not the positive."""
        negative = self.read_text(value)
        if negative == pair:
            raise ValueError("is the positive itself; give another text or none")
        return negative

    def inputs(self, example: Example) -> tuple[Example, ...]:
        """Anchor, positive and, if there is one, negative."""
        texts = (example.text, example.pair, example.label)
        return tuple(Example(str(text), float(role)) for role, text in enumerate(texts) if text is not None)

    def refuse(self, parts: Mapping[str, Sequence[Example]]) -> None:
        """Where there is nothing to tell a positive from."""
        for name, part in parts.items():
            first = part[0].pair
            if all(example.pair == first for example in part):
                raise ValueError(f"every positive of the {name} split is {first!r:.60}; give others")

    def target(self, example: Example, offsets: Sequence[Span], labels: Sequence[str]) -> list[float]:
        """The role of an input, and its text's fingerprint."""
        return [float(example.label), fingerprint(example.text)]  # type: ignore[arg-type]

    def no_target(self, offsets: Sequence[Span], labels: Sequence[str]) -> list[float]:
        """No role."""
        return [math.nan, math.nan]

    def tally(
        self,
        outputs: Sequence[Sequence[Floats]],
        offsets: Sequence[Sequence[Sequence[Span]]],
        examples: Sequence[Example],
        labels: Sequence[str],
    ) -> Tally:
        """1, whether the positive is among the nearest 1, 5 and 10, and 1 / its rank: [n, 5]."""
        ranks = _ranks(outputs, examples)[:, np.newaxis]
        return np.concatenate((np.ones_like(ranks), ranks <= CUTS, 1 / ranks), axis=1)

    def score(self, totals: Tally) -> dict[str, Tally]:
        """Recall at 1, 5 and 10, and the mean reciprocal rank."""
        return {
            name: ratio(totals[..., place], totals[..., 0]) for place, name in enumerate(self.metrics, 1)
        }


def _ranks(outputs: Sequence[Sequence[Floats]], examples: Sequence[Example]) -> Tally:
    """The rank [n] of each example's positive by its cosine with the anchor, from 1.

    It is ranked among the different positives of all examples, but for other positives of the same
    anchor and the anchor's own text. Among equals it comes last, so that one vector for all is worth
    nothing.
    """
    anchors = unit(np.stack([one[ANCHOR] for one in outputs]))
    vectors = {example.pair: one[POSITIVE] for example, one in zip(examples, outputs, strict=True)}
    place = {text: number for number, text in enumerate(vectors)}
    positives = unit(np.stack(list(vectors.values())))
    right: dict[str, set[int]] = defaultdict(set)
    for example in examples:
        right[example.text] |= {place[text] for text in (example.pair, example.text) if text in place}
    own = np.array([place[example.pair] for example in examples])
    ranks = np.empty(len(examples))
    for start in range(0, len(examples), CHUNK):
        part = slice(start, start + CHUNK)
        cosines = anchors[part] @ positives.T
        best = np.take_along_axis(cosines, own[part, np.newaxis], axis=1)
        for row, example in zip(cosines, examples[part], strict=True):
            row[list(right[example.text])] = -np.inf
        # Written so that a NaN comes last.
        ranks[part] = 1 + (~(cosines < best)).sum(axis=1)
    return ranks
