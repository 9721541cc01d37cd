"""Score: a number."""

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from ..columns import Text
from .call import Call


class Score(Call):
    """A result is the number."""

    name = "Score"
    columns = ("score",)

    def read(self, result: Any) -> float:
        """See ``Call``."""
        return float(result.score)

    def outputs(self, top_k: int | None) -> Mapping[str, int]:
        """See ``Call``."""
        return {"score": 0}

    def results(self, tensors: Mapping[str, NDArray[Any]]) -> Sequence[float]:
        """See ``Call``."""
        return [float(score) for score in tensors["score"].tolist()]

    def rows(self, text: Text, result: float, top_k: int | None) -> Sequence[tuple[str, ...]]:
        """See ``Call``."""
        return [(f"{result:.4f}",)]
