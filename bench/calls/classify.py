"""Classify: labels with scores."""

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from ..columns import Text
from .call import Call

ScoredLabels = tuple[tuple[str, float], ...]
ALL = 2**31 - 1
"""Of classes, where their number isn't known: a server gives as many as there are."""


class Classify(Call):
    """One of several labels, or any number of them; a result is (label, score) pairs, the best first."""

    name = "Classify"
    ranked = True
    columns = ("label", "score")

    def wishes(self, top_k: int | None) -> Mapping[str, Any]:
        """One label where there is one choice, else all, of which the task takes what is likely enough."""
        return {"top_k": self._most(top_k)}

    def read(self, result: Any) -> ScoredLabels:
        """See ``Call``."""
        if not result.labels:
            raise ValueError("a text has no label")
        return tuple((scored.label, scored.score) for scored in result.labels)

    def outputs(self, top_k: int | None) -> Mapping[str, int]:
        """The one label in tensors that every server has, several in Triton's classification."""
        most = self._most(top_k)
        return {"label": 0, "score": 0} if most == 1 else {"probabilities": most or ALL}

    def results(self, tensors: Mapping[str, NDArray[Any]]) -> Sequence[ScoredLabels]:
        """See ``Call``."""
        if "probabilities" in tensors:
            return [tuple(map(_scored, row)) for row in tensors["probabilities"].tolist()]
        pairs = zip(tensors["label"].tolist(), tensors["score"].tolist(), strict=True)
        return [((label, score),) for label, score in pairs]

    def rows(self, text: Text, result: ScoredLabels, top_k: int | None) -> Sequence[tuple[str, ...]]:
        """The labels asked for; those that the task takes unless their number was said."""
        if top_k is None and not self.task.one_choice:
            taken: Any = self.task.verdict(result)
            result = tuple(scored for scored in result if scored[0] in taken)
        return [(label, f"{score:.4f}") for label, score in result] or [("none", "")]

    def _most(self, top_k: int | None) -> int:
        return int(self.task.one_choice) if top_k is None else top_k


def _scored(written: str) -> tuple[str, float]:
    """``score:index:label``; a label may have colons of its own."""
    score, _, label = written.split(":", 2)
    return label, float(score)
