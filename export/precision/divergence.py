"""How far a compressed graph's answers are from the reference's, without a label."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..bundle import Session, softmax
from .calibration import Feeds


@dataclass(frozen=True)
class Divergence:
    """Mean Kullback-Leibler divergence of a graph's class probabilities from a reference's, in nats.

    The mean change of a probability is at most √(divergence / 2), by Pinsker's inequality.
    """

    reference: Path
    feeds: Callable[[], Iterable[Feeds]]

    def __call__(self, graph: Path) -> float:
        """The divergence of ``graph``."""
        wanted, found = self._wanted, self._probabilities(graph)
        return float((wanted * np.log(wanted / found)).sum(axis=1).mean())

    @cached_property
    def _wanted(self) -> NDArray[np.float64]:
        return self._probabilities(self.reference)

    def _probabilities(self, graph: Path) -> NDArray[np.float64]:
        """Shape [texts, classes], never zero."""
        session = Session(graph)
        rows = np.concatenate([softmax(session.run(feeds)) for feeds in self.feeds()])
        return np.maximum(rows.astype(np.float64), np.finfo(np.float32).tiny)
