"""The packed layout: token sequences laid end to end in one row, none padded to another's length."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class PackedLayout:
    """How a variant's graph takes several sequences at once.

    The graph attends inside a segment only. Every sequence starts at a multiple of ``alignment``
    tokens, because a sequence that starts elsewhere meets other SIMD lanes in the softmax and its
    answer then depends on its neighbours; the gap is filled with padding of segment 0.
    """

    alignment: int
    """Tokens; every sequence starts at a multiple of it."""
    first_position: int
    """The position id of a sequence's first token: 0 for BERT, 2 for RoBERTa."""
    pad_token_id: int
    """The token that fills gaps; its hidden states are never read."""

    def aligned(self, tokens: int) -> int:
        """Tokens that a sequence of ``tokens`` tokens takes in the row."""
        return -(-tokens // self.alignment) * self.alignment

    def batches(self, sequences: Sequence[IntArray], tokens: int) -> Iterator[list[IntArray]]:
        """Cut a sequence of texts, in order, into batches of at most ``tokens`` aligned tokens.

        A text longer than that is a batch of its own.
        """
        batch: list[IntArray] = []
        taken = 0
        for sequence in sequences:
            size = self.aligned(len(sequence))
            if batch and taken + size > tokens:
                yield batch
                batch, taken = [], 0
            batch.append(sequence)
            taken += size
        if batch:
            yield batch

    def feeds(self, sequences: Sequence[IntArray]) -> dict[str, IntArray]:
        """The graph's inputs for n non-empty sequences of int64 token ids.

        Returns ``input_ids``, ``position_ids`` and ``segment_ids`` of shape [1, T] and ``starts``
        of shape [n], all int64; T is the sum of the aligned lengths. Segment 0 is padding,
        sequence i is segment i + 1 and begins at ``starts[i]``.
        """
        lengths = [len(sequence) for sequence in sequences]
        ends = np.cumsum([self.aligned(length) for length in lengths])
        total = int(ends[-1])
        starts = np.concatenate(([0], ends[:-1])).astype(np.int64)
        input_ids = np.full((1, total), self.pad_token_id, dtype=np.int64)
        position_ids = np.full((1, total), self.first_position, dtype=np.int64)
        segment_ids = np.zeros((1, total), dtype=np.int64)
        for number, (start, length) in enumerate(zip(starts, lengths, strict=True), start=1):
            place = slice(start, start + length)
            input_ids[0, place] = sequences[number - 1]
            position_ids[0, place] = np.arange(self.first_position, self.first_position + length)
            segment_ids[0, place] = number
        return {
            "input_ids": input_ids,
            "position_ids": position_ids,
            "segment_ids": segment_ids,
            "starts": starts,
        }
