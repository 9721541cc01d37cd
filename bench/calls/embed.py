"""Embed: a vector."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..columns import Text
from .call import Call

SHOWN = 3
"""Numbers of a vector that a person is shown."""


class Embed(Call):
    """A result is the vector as the model has it; how near it is to others is for who has them all."""

    name = "Embed"
    fields = ("texts",)
    columns = ("dimensions", "length", "begins with")

    def read(self, result: Any) -> tuple[float, ...]:
        """See ``Call``."""
        if not result.vector:
            raise ValueError("a vector without numbers")
        return tuple(result.vector)

    def outputs(self, top_k: int | None) -> Mapping[str, int]:
        """See ``Call``."""
        return {"embedding": 0}

    def results(self, tensors: Mapping[str, NDArray[Any]]) -> Sequence[tuple[float, ...]]:
        """See ``Call``."""
        return [tuple(vector) for vector in tensors["embedding"].tolist()]

    def rows(self, text: Text, result: tuple[float, ...], top_k: int | None) -> Sequence[tuple[str, ...]]:
        """See ``Call``."""
        begins = " ".join(f"{number:.4f}" for number in result[:SHOWN])
        return [(str(len(result)), f"{np.linalg.norm(result):.4f}", begins)]
