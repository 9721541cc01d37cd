"""How far a compressed graph's answers are from the reference's, without a label."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from strop.tasks import Task

from ..bundle import Session
from .calibration import Feeds


@dataclass(frozen=True)
class Divergence:
    """How far a graph's outputs are from a reference's, on average.

    Of probabilities of one choice it is the Kullback-Leibler divergence in nats: the mean change of a
    probability is at most √(divergence / 2), by Pinsker's inequality. Else it is half the mean squared
    difference, as between two normal distributions of deviation 1.
    """

    reference: Path
    feeds: Callable[[], Iterable[Feeds]]
    task: Task

    def __call__(self, graph: Path) -> float:
        """The divergence of ``graph``."""
        wanted, found = self._wanted, self._outputs(graph)
        if not self.task.one_choice:
            return float(((found - wanted) ** 2).mean() / 2)
        tiny = np.finfo(np.float32).tiny
        wanted, found = np.maximum(wanted, tiny), np.maximum(found, tiny)
        return float((wanted * np.log(wanted / found)).sum(axis=1).mean())

    @cached_property
    def _wanted(self) -> NDArray[np.float64]:
        return self._outputs(self.reference)

    def _outputs(self, graph: Path) -> NDArray[np.float64]:
        """Shape [rows, outputs]: a row for each text or, of a task per token, for each token."""
        session = Session(graph)
        logits = [session.run(feeds) for feeds in self.feeds()]
        rows = np.concatenate([one.reshape(-1, one.shape[-1]) for one in logits])
        return self.task.activate(rows).astype(np.float64)
