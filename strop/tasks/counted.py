"""What tasks have in common whose labels are right or wrong: hits, guesses and truths, counted by label."""

from collections.abc import Sequence
from types import MappingProxyType

import numpy as np

from .task import Floats, LabelScores, Outputs, Span, Tally, Task


class CountedTask(Task):
    """Its tally is [n, 3 × labels]: by label how often it was hit, how often guessed, how often true."""

    confident = True
    tensors = MappingProxyType({"label": "BYTES", "score": "FP32", "probabilities": "FP32"})

    def tensor(
        self, name: str, outputs: Outputs, offsets: Sequence[Sequence[Span]], labels: Sequence[str]
    ) -> Floats | list[str]:
        """``label`` and ``score`` [n] of the best label, or ``probabilities`` [n, labels] of all."""
        rows = np.asarray(outputs)
        if name == "label":
            return [labels[place] for place in rows.argmax(axis=1).tolist()]
        return rows.max(axis=1) if name == "score" else rows

    def label_scores(self, totals: Tally, labels: Sequence[str]) -> list[LabelScores]:
        """Precision, recall and F1 of each label; what is never guessed has precision 0."""
        hits, guesses, truths = thirds(totals)
        return [
            LabelScores(
                label,
                precision=float(ratio(hit, guess)),
                recall=float(ratio(hit, truth)),
                f1=float(f1(hit, guess, truth)),
                support=int(truth),
            )
            for label, hit, guess, truth in zip(labels, hits, guesses, truths, strict=True)
        ]


def thirds(totals: Tally) -> tuple[Tally, Tally, Tally]:
    """Hits, guesses and truths, each [..., labels]."""
    hits, guesses, truths = np.split(totals, 3, axis=-1)
    return hits, guesses, truths


def joined(hits: Tally, guesses: Tally, truths: Tally) -> Tally:
    """A tally of the three."""
    return np.concatenate((hits, guesses, truths), axis=-1).astype(np.float64)


def ratio(part: Tally, whole: Tally) -> Tally:
    """``part / whole``, and 0 of nothing."""
    return np.divide(part, whole, out=np.zeros(np.broadcast(part, whole).shape), where=whole != 0)


def f1(hits: Tally, guesses: Tally, truths: Tally) -> Tally:
    """The harmonic mean of precision and recall."""
    return ratio(2 * hits, guesses + truths)


def macro_f1(totals: Tally) -> Tally:
    """The mean F1 of the labels that are true or guessed at least once."""
    hits, guesses, truths = thirds(totals)
    return ratio(f1(hits, guesses, truths).sum(axis=-1), (guesses + truths > 0).sum(axis=-1))


def micro_f1(totals: Tally) -> Tally:
    """F1 over all labels together."""
    return f1(*(part.sum(axis=-1) for part in thirds(totals)))
