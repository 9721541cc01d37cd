"""The accuracy gate: a variant must keep its share of the fp32 reference's accuracy, or isn't written."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Verdict:
    """Whether a variant may be shipped, and how sure that is."""

    accuracy: float
    reference: float
    floor: float
    """Smallest share allowed; MLPerf inference asks 0.99 of fp32."""
    interval: tuple[float, float]
    """Of the share, by a paired bootstrap over the held-out texts (Efron and Tibshirani, 1993)."""
    certainty: float
    """The part of the resamples in which the share reaches the floor."""

    @classmethod
    def of(cls, right: NDArray[np.bool_], reference: NDArray[np.bool_], floor: float, seed: int) -> Self:
        """Judge by which of the same n texts a variant and the reference got right, each [n]."""
        shares = _resampled_shares(right, reference, seed)
        low, high = np.quantile(shares, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]).tolist()
        return cls(
            accuracy=float(right.mean()),
            reference=float(reference.mean()),
            floor=floor,
            interval=(low, high),
            certainty=float((shares >= floor).mean()),
        )

    @property
    def share(self) -> float:
        """Accuracy as a share of the reference's; 1.0 when both are zero."""
        return self.accuracy / self.reference if self.reference else 1.0

    @property
    def passed(self) -> bool:
        """Whether the share reaches the floor."""
        return self.share >= self.floor

    def __str__(self) -> str:
        """One phrase for messages and reports."""
        low, high = self.interval
        share = (
            f"{self.share:.2%} of fp32's accuracy ({CONFIDENCE:.0%} interval {low:.2%} to {high:.2%},"
            f" {self.certainty:.0%} of resamples reach the gate)"
        )
        if self.passed:
            return f"shipped with {share}"
        return f"refused with {share}, {self.floor - self.share:.2%} below the gate"


def _resampled_shares(
    right: NDArray[np.bool_], reference: NDArray[np.bool_], seed: int
) -> NDArray[np.float64]:
    """Shares [RESAMPLES] of texts drawn with replacement, the same for both."""
    # A resample is how many texts came of each of the four outcomes: the counts are multinomial.
    outcomes = np.bincount(2 * right + reference, minlength=4) / len(right)
    counts = np.random.default_rng(seed).multinomial(len(right), outcomes, RESAMPLES)
    theirs = counts[:, 1] + counts[:, 3]
    ours = counts[:, 2] + counts[:, 3]
    shares: NDArray[np.float64] = np.divide(ours, theirs, out=np.ones(RESAMPLES), where=theirs > 0)
    return shares
