"""Token ids that a caller made itself: checked, cut to the model's length, unpadded."""

from dataclasses import dataclass

import numpy as np

from strop.export.bundle import Encoded

from ..core import IntArray
from ..errors import InvalidArgumentError

IDS = "input_ids"
MASK = "attention_mask"


@dataclass(frozen=True)
class TokenRules:
    """What the model takes as token ids."""

    vocabulary_size: int
    """Every id is below it."""
    max_tokens: int
    """Special tokens included; the caller sends those too."""
    pad_token_id: int

    def encode(self, ids: IntArray, mask: IntArray | None, *, refuse_long: bool) -> list[Encoded]:
        """One ``Encoded`` for each row of ``ids`` [n, tokens], without its padding on the right.

        ``mask`` is 1 for tokens and 0 for padding, of the same shape; without one, padding is
        what the row has of ``pad_token_id`` at its end. ``InvalidArgumentError`` names the row that
        has no tokens, a hole, an id outside the vocabulary or, where those are refused, too many.
        """
        lengths = self._unpadded(ids) if mask is None else _masked(ids, mask)
        self._check(ids, lengths)
        longest = int(lengths.max())
        if refuse_long and longest > self.max_tokens:
            raise InvalidArgumentError(
                f"row {int(lengths.argmax())} of input {IDS!r} has {longest} tokens and the model takes"
                f" {self.max_tokens}; shorten it, or let it be truncated (on_long)"
            )
        return [
            Encoded(row[: min(length, self.max_tokens)], length > self.max_tokens)
            for row, length in zip(ids, lengths.tolist(), strict=True)
        ]

    def _unpadded(self, ids: IntArray) -> IntArray:
        """Tokens of each row before the padding at its end."""
        columns = np.arange(1, ids.shape[1] + 1)
        return np.asarray(np.where(ids != self.pad_token_id, columns, 0).max(axis=1))

    def _check(self, ids: IntArray, lengths: IntArray) -> None:
        if not lengths.all():
            raise InvalidArgumentError(
                f"row {int(lengths.argmin())} of input {IDS!r} has no tokens; send some"
            )
        tokens = np.arange(ids.shape[1]) < lengths[:, np.newaxis]
        unknown = tokens & ((ids < 0) | (ids >= self.vocabulary_size))
        if unknown.any():
            row, column = np.argwhere(unknown)[0].tolist()
            raise InvalidArgumentError(
                f"input {IDS!r} has {int(ids[row, column])} at [{row}, {column}];"
                f" send ids from 0 to {self.vocabulary_size - 1}"
            )


def _masked(ids: IntArray, mask: IntArray) -> IntArray:
    """Tokens of each row under a mask of ones and then zeros."""
    if mask.shape != ids.shape:
        raise InvalidArgumentError(
            f"input {MASK!r} has shape {list(mask.shape)} and {IDS!r} {list(ids.shape)}; make them agree"
        )
    wrong = (mask != 0) & (mask != 1)
    wrong[:, 1:] |= mask[:, 1:] > mask[:, :-1]
    if wrong.any():
        row = int(np.argwhere(wrong)[0][0])
        raise InvalidArgumentError(
            f"row {row} of input {MASK!r} is not ones and then zeros; pad on the right"
        )
    return np.asarray(mask.sum(axis=1))
