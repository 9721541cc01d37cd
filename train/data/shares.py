"""How a data set is divided: by a hash of each text, or by rank within each class."""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import inf, isfinite

from cyclopts import Parameter

from strop.errors import InputError

SPLITS = ("train", "validation", "test")
# Rows by class, by split.
Counts = Mapping[str, Counter[str]]


@Parameter(name="*")
@dataclass(frozen=True)
class Shares:
    """How much of the data goes to each split."""

    ratio: str = "70:15:15"
    """Training : choosing the checkpoint : test. Only the proportions count: 7:2:1, 80:10:10."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` when the ratio is not three numbers above 0."""
        if len(self._parts) != 3 or not all(0 < part < inf for part in self._parts):
            raise InputError(
                f"--ratio is {self.ratio!r}; give three numbers above 0 for train, validation and test,"
                " such as 70:15:15"
            )

    def split_of(self, key: str) -> str:
        """The split of a text, by its sha256 alone: it never moves, whatever else the data holds."""
        return self.at(int.from_bytes(_hash(key)) / 2**64)

    def at(self, place: float) -> str:
        """The split that holds a place from 0 to below 1."""
        train, validation, test = self._parts
        whole = train + validation + test
        if place < train / whole:
            return "train"
        return "validation" if place < (train + validation) / whole else "test"

    @cached_property
    def _parts(self) -> tuple[float, ...]:
        try:
            parts = tuple(float(part) for part in re.split("[:/]", self.ratio))
        except ValueError:
            return ()
        return parts if all(map(isfinite, parts)) else ()


class Strata:
    """Splits whose shares hold within each class, as closely as whole texts allow.

    Texts of a class stand in the order of their hash, and each goes where the middle of its rows
    falls. So the same data is always divided alike; but as data grows, ranks shift, and a text near
    a border between two splits may cross it. Without strata none ever moves.
    """

    def __init__(self, shares: Shares, rows: Iterable[tuple[str, str]]) -> None:
        """Divide ``rows``, each a key, which goes to one split whole, and its class.

        A key of several classes counts as its most frequent one.
        """
        classes: dict[bytes, Counter[str]] = defaultdict(Counter)
        for key, name in rows:
            classes[_hash(key)][name] += 1
        strata: dict[str, list[tuple[bytes, int]]] = defaultdict(list)
        for digest, counts in sorted(classes.items()):
            most = min(counts, key=lambda name: (-counts[name], name))
            strata[most].append((digest, counts.total()))
        self._splits: dict[bytes, str] = {}
        for stratum in strata.values():
            self._splits.update(_by_rank(shares, stratum))

    def split_of(self, key: str) -> str:
        """The split of a key that was among the rows."""
        return self._splits[_hash(key)]


def _by_rank(shares: Shares, stratum: list[tuple[bytes, int]]) -> Mapping[bytes, str]:
    whole = sum(size for _, size in stratum)
    splits, before = {}, 0
    for digest, size in stratum:
        splits[digest] = shares.at((before + size / 2) / whole)
        before += size
    return splits


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()[:8]
