"""How long texts are, in what a model counts."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .entries import Entry
from .findings import Finding

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

PERCENTILES = (50, 90, 95, 99, 100)
Count = Callable[[Sequence[Entry]], list[int]]


@dataclass(frozen=True)
class Lengths:
    """How long the rows of a data set are."""

    unit: str
    """``tokens``, ``words`` or ``characters``."""
    limit: int | None
    """What a model takes of a row."""
    by_split: Mapping[str, Mapping[str, int]]
    """Percentiles (``p50`` … ``p100``) by split."""
    over: Mapping[str, int]
    """Rows longer than the limit, by split."""


def measure(
    entries: Sequence[Entry], unit: str, count: Count, limit: int | None = None
) -> tuple[Lengths, list[Finding]]:
    """The percentiles of each split, each the length of the nearest row; and the rows over the limit."""
    by_split: dict[str, list[int]] = defaultdict(list)
    long = []
    for entry, length in zip(entries, count(entries), strict=True):
        by_split[entry.split].append(length)
        if limit is not None and length > limit:
            long.append(Finding("too long", False, (entry.where,), f"{length} {unit}"))
    percentiles = {
        split: {f"p{share}": int(np.percentile(lengths, share, method="nearest")) for share in PERCENTILES}
        for split, lengths in by_split.items()
    }
    over = {
        split: sum(limit is not None and length > limit for length in lengths)
        for split, lengths in by_split.items()
    }
    return Lengths(unit, limit, percentiles, over), long


def words(entries: Sequence[Entry]) -> list[int]:
    """What stands between spaces."""
    return [sum(len(text.split()) for text in entry.texts) for entry in entries]


def characters(entries: Sequence[Entry]) -> list[int]:
    """Unicode code points."""
    return [sum(map(len, entry.texts)) for entry in entries]


def tokens(tokenizer: "PreTrainedTokenizerFast") -> Count:
    """A tokenizer's tokens with the special ones; a pair is one sequence, of three texts the longest."""

    def count(entries: Sequence[Entry]) -> list[int]:
        return [max(_sequences(tokenizer, entry.texts)) for entry in entries]

    return count


def _sequences(tokenizer: "PreTrainedTokenizerFast", texts: Sequence[str]) -> Iterator[int]:
    for one in (texts,) if len(texts) <= 2 else [(text,) for text in texts]:
        yield len(tokenizer(*one, truncation=False, verbose=False).input_ids)
