"""How a model's inputs and answers are spread: histograms in fixed bins, held out or served."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from strop.tasks import Outputs, Task
from strop.tasks.multi_label import THRESHOLD

from .tokenizer import Encoded, TextEncoder

Profile = Mapping[str, tuple[int, ...]]
"""Inputs in each bin, by histogram."""
Counts = NDArray[np.int64]

# The last number of each bin; one more bin has what is past them all.
TOKENS = (4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
UNKNOWN = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
CONFIDENCE = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
NO_LABEL = "none"


class Profiler:
    """Sorts inputs and answers of one model into bins.

    ``tokens`` and ``unknown``, the share of tokens that stand for what the vocabulary lacks, are of each
    input; ``label`` and ``confidence`` of its answer, where a task gives labels with a probability. Of a
    model that gives several labels each is counted, and how sure the least sure is.
    """

    def __init__(self, task: Task, labels: Sequence[str], encoder: TextEncoder) -> None:
        self.bins: dict[str, tuple[str, ...]] = {"tokens": _named(TOKENS)}
        """The names of the bins of each histogram: their last number, or the label."""
        self._unknown = encoder.unknown_id
        self._one_choice = task.one_choice
        self._answers = task.confident and not task.per_token
        if self._unknown is not None:
            self.bins["unknown"] = _named(UNKNOWN)
        if self._answers:
            self.bins["label"] = (*labels, *(() if task.one_choice else (NO_LABEL,)))
            self.bins["confidence"] = _named(CONFIDENCE)
        edges = accumulate(map(len, self.bins.values()), initial=0)
        self._places = {name: slice(*edge) for name, edge in zip(self.bins, pairwise(edges), strict=True)}

    def empty(self) -> Counts:
        """Nothing counted yet: all bins of all histograms, one behind the other."""
        return np.zeros(sum(map(len, self.bins.values())), np.int64)

    def count(self, encoded: Sequence[Encoded], outputs: Outputs, into: Counts) -> None:
        """Add inputs and their answers to ``into``."""
        places = [bisect_left(TOKENS, len(one.ids)) for one in encoded]
        if self._unknown is not None:
            first = self._places["unknown"].start
            for one in encoded:
                ids = one.ids if one.ids.ndim == 1 else one.ids[:, 0]
                lost = np.count_nonzero(ids == self._unknown)
                places.append(first + bisect_left(UNKNOWN, lost / len(ids)))
        if self._answers:
            labels, confidences = self._told(np.asarray(outputs))
            places += [self._places["label"].start + label for label in labels]
            first = self._places["confidence"].start
            places += [first + bisect_left(CONFIDENCE, value) for value in confidences]
        for place in places:
            into[place] += 1

    def split(self, counts: Counts) -> dict[str, Counts]:
        """What was counted, by histogram."""
        return {name: counts[place] for name, place in self._places.items()}

    def profile(self, encoded: Sequence[Encoded], outputs: Outputs) -> Profile:
        """Of these inputs and their answers."""
        counts = self.empty()
        self.count(encoded, outputs, counts)
        return {name: tuple(part.tolist()) for name, part in self.split(counts).items()}

    def _told(self, rows: NDArray[np.float32]) -> tuple[list[int], list[float]]:
        if self._one_choice:
            return rows.argmax(axis=1).tolist(), rows.max(axis=1).tolist()
        given = rows >= THRESHOLD
        none = [rows.shape[1]] * int((~given.any(axis=1)).sum())
        return [*np.nonzero(given)[1].tolist(), *none], np.maximum(rows, 1 - rows).min(axis=1).tolist()


def _named(edges: Sequence[float]) -> tuple[str, ...]:
    return (*map(str, edges), "+Inf")
