"""The accuracy gate: a variant must keep its share of the fp32 reference's score, or isn't written."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from strop.errors import InputError
from strop.tasks import Tally, Task

RESAMPLES = 2000
CONFIDENCE = 0.95


def require_worth(name: str, metric: str, score: float) -> None:
    """Raise ``InputError`` unless the score is above 0: of nothing no variant can keep a share."""
    if not score > 0:
        raise InputError(
            f"{name} has {metric} {score:.4f} on texts that it never learnt from, of which no variant can"
            " keep a share; train it until it beats its baselines: more --epochs, another --learning-rate"
            " or more texts"
        )


@dataclass(frozen=True)
class Verdict:
    """Whether a variant may be shipped, and how sure that is."""

    metric: str
    """What it goes by: the task's first."""
    score: float
    reference: float
    floor: float
    """Smallest share allowed; MLPerf inference asks 0.99 of fp32."""
    interval: tuple[float, float]
    """Of the share, by a paired bootstrap over the held-out texts (Efron and Tibshirani, 1993)."""
    certainty: float
    """The part of the resamples in which the share reaches the floor."""

    @classmethod
    def of(cls, task: Task, ours: Tally, reference: Tally, floor: float, seed: int) -> Self:
        """Judge by the task's tallies [n, counts] of a variant and of the reference on the same texts.

        Raises ``InputError`` for a reference that is worth nothing.
        """
        metric = task.metrics[0]

        def score(totals: Tally) -> Tally:
            return task.score(totals)[metric]

        # How often each text is drawn; the same draws for both.
        even = np.full(len(ours), 1 / len(ours))
        draws = np.random.default_rng(seed).multinomial(len(ours), even, RESAMPLES).astype(np.float64)
        theirs = score(draws @ reference)
        shares = np.divide(score(draws @ ours), theirs, out=np.ones(RESAMPLES), where=theirs > 0)
        low, high = np.quantile(shares, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]).tolist()
        whole = float(score(reference.sum(axis=0)))
        require_worth("fp32", metric, whole)
        return cls(
            metric=metric,
            score=float(score(ours.sum(axis=0))),
            reference=whole,
            floor=floor,
            interval=(low, high),
            certainty=float((shares >= floor).mean()),
        )

    @property
    def share(self) -> float:
        """The score as a share of the reference's."""
        return self.score / self.reference

    @property
    def passed(self) -> bool:
        """Whether the share reaches the floor."""
        return self.share >= self.floor

    def __str__(self) -> str:
        """One phrase for messages and reports."""
        low, high = self.interval
        share = (
            f"{self.share:.2%} of fp32's {self.metric} ({CONFIDENCE:.0%} interval {low:.2%} to {high:.2%},"
            f" {self.certainty:.0%} of resamples reach the gate)"
        )
        if self.passed:
            return f"shipped with {share}"
        return f"refused with {share}, {self.floor - self.share:.2%} below the gate"
