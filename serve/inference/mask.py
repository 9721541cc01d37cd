"""The mask that stands in a text for the word to be told."""

from collections.abc import Sequence
from dataclasses import dataclass

from strop.export.bundle import Encoded, Layout

from ..errors import InvalidArgumentError


@dataclass(frozen=True)
class Mask:
    """A model's own, which callers write."""

    name: str
    """As it stands in a text, such as [MASK]."""
    layout: Layout

    def require_one(self, encoded: Sequence[Encoded]) -> None:
        """``InvalidArgumentError`` for a text with none, or with several."""
        for number, one in enumerate(encoded):
            count = self.layout.masks(one.ids)
            if count != 1:
                lost = f" in the {len(one.ids)} tokens that the model takes" if one.truncated else ""
                raise InvalidArgumentError(
                    f"text {number} has {count or 'no'} mask{'s' * (count != 1)}{lost}; write {self.name}"
                    " once, for the word to be told"
                )
