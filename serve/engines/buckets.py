"""The few shapes in which a GPU computes packed batches, so that each can be captured as a CUDA graph."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from strop.export.bundle.layout import IntArray

# Tokens. Each is at most half as large again as the one before: the more shapes, the less is padded
# and the longer a start takes.
SIZES = (64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192, 12288, 16384)
# A batch of shorter texts takes a larger bucket.
TOKENS_PER_TEXT = 8


@dataclass(frozen=True)
class Bucket:
    """A shape: so many tokens, of at most so many texts."""

    tokens: int

    @property
    def texts(self) -> int:
        """How many texts it holds."""
        return self.tokens // TOKENS_PER_TEXT

    def filled(self, feeds: Mapping[str, IntArray]) -> dict[str, IntArray]:
        """``PackedLayout.tokens`` of a batch that fits, in the bucket's shape.

        What is added are tokens of no text, which nothing attends to, and empty texts: the answers to
        both mean nothing. ``input_ids``, ``token_type_ids`` and ``position_ids`` become [1, tokens],
        ``cu_seqlens`` [texts + 1] and ``starts`` [texts].
        """
        sizes = {"cu_seqlens": self.texts + 1, "starts": self.texts}
        return {name: _lengthened(array, sizes.get(name, self.tokens)) for name, array in feeds.items()}


BUCKETS = tuple(map(Bucket, SIZES))


def bucket_for(tokens: int, texts: int) -> Bucket | None:
    """The smallest bucket that holds a batch; none for one that is larger than all."""
    return next((one for one in BUCKETS if one.tokens >= tokens and one.texts >= texts), None)


def _lengthened(array: IntArray, size: int) -> IntArray:
    """The last entry once more until there are ``size``: it is one that the model knows."""
    added = [(0, 0)] * (array.ndim - 1) + [(0, size - array.shape[-1])]
    return np.pad(array, added, mode="edge")
