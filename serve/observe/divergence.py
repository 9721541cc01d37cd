"""How far two histograms of the same bins are apart, and how far chance alone would take them."""

from collections.abc import Sequence
from math import sqrt

import numpy as np
from numpy.typing import NDArray

Bins = Sequence[int] | NDArray[np.int64]

# One-sided 99.9 % of the normal distribution.
RARE = 3.0902


def stability_index(reference: Bins, found: Bins) -> float:
    """The population stability index, PSI = Σ (q - p) ln(q / p) over the bins' shares p and q, from 0 on.

    It is symmetric: the Jeffreys divergence. By custom below 0.1 nothing has changed, and above 0.25 much
    has (Siddiqi, Credit Risk Scorecards, Wiley 2006). Bins empty on both sides are left out; one that is
    empty on one gets its part of one input more, shared out as both together are, because a logarithm of 0
    would outweigh everything.
    """
    p, q = _shares(reference, found, extra=1.0)
    return float(((q - p) * np.log(q / p)).sum())


def stability_by_chance(reference: Bins, found: Bins) -> float:
    """The PSI that one of 1,000 samples exceeds although nothing has changed.

    Without a change PSI / (1/n + 1/m), of n and m inputs in b occupied bins, is about χ² with b - 1 degrees
    of freedom (Yurdakul and Naranjo, Journal of Risk Model Validation 14(4), 2020): small samples have
    a large one, (b - 1)(1/n + 1/m) on average. The quantile is Wilson and Hilferty's; of fewer than 200
    inputs five samples in 1,000 may exceed it.
    """
    whole, part = np.asarray(reference), np.asarray(found)
    freedom = int(((whole + part) > 0).sum()) - 1
    if freedom < 1 or not whole.sum() or not part.sum():
        return 0.0
    spread = 2 / (9 * freedom)
    quantile = freedom * (1 - spread + RARE * sqrt(spread)) ** 3
    return float(quantile * (1 / whole.sum() + 1 / part.sum()))


def shannon_distance(reference: Bins, found: Bins) -> float:
    """The Jensen-Shannon distance, 0 to 1: the root of (KL(p, m) + KL(q, m)) / 2 in bits, m = (p + q) / 2.

    A metric (Endres and Schindelin, IEEE Transactions on Information Theory 49(7), 2003) out of Lin's
    divergence (37(1), 1991). By chance alone its square is about (b - 1)(1/n + 1/m) / (8 ln 2).
    """
    p, q = _shares(reference, found, extra=0.0)
    middle = (p + q) / 2
    return sqrt(max(0.0, (_relative(p, middle) + _relative(q, middle)) / 2))


def _shares(reference: Bins, found: Bins, extra: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both as shares, without the bins that are empty on both sides; ``extra`` inputs are shared out."""
    counts = np.array([reference, found], np.float64)
    counts = counts[:, counts.sum(axis=0) > 0]
    pooled = counts.sum(axis=0) / counts.sum()
    smooth = counts + extra * pooled
    p, q = smooth / smooth.sum(axis=1, keepdims=True)
    return p, q


def _relative(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    """KL divergence in bits."""
    there = p > 0
    return float((p[there] * np.log2(p[there] / q[there])).sum())
