"""Tag: the named stretches of a text."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from strop.tasks import Entity

from ..columns import Text
from .call import Call


class Tag(Call):
    """A result is the entities in the order of the text, maybe none."""

    name = "Tag"
    fields = ("texts",)
    columns = ("label", "stretch", "where", "score")

    def read(self, result: Any) -> tuple[Entity, ...]:
        """See ``Call``."""
        return tuple(Entity(one.label, one.start, one.stop, one.score) for one in result.entities)

    def outputs(self, top_k: int | None) -> Mapping[str, int]:
        """See ``Call``."""
        return {"entities": 0}

    def results(self, tensors: Mapping[str, NDArray[Any]]) -> Sequence[tuple[Entity, ...]]:
        """See ``Call``."""
        return [
            tuple(Entity(one["label"], one["start"], one["stop"], one["score"]) for one in json.loads(row))
            for row in tensors["entities"].tolist()
        ]

    def rows(self, text: Text, result: Sequence[Entity], top_k: int | None) -> Sequence[tuple[str, ...]]:
        """Each entity with what stands there."""
        return [
            (one.label, text[0][one.start : one.stop], f"{one.start}–{one.stop}", f"{one.score:.4f}")
            for one in result
        ] or [("none", "", "", "")]
