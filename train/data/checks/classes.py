"""How rows are spread over classes."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from .entries import Entry
from .findings import Finding


def class_counts(entries: Sequence[Entry]) -> dict[str, dict[str, int]]:
    """Rows by class, by split."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for entry in entries:
        if entry.target is not None:
            counts[entry.split][entry.target] += 1
    return {split: dict(count) for split, count in counts.items()}


def find_unlearnable(entries: Sequence[Entry]) -> Iterator[Finding]:
    """Classes of one row, and classes that another split asks for and train has not."""
    rows: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.target is not None:
            rows[entry.target].append(entry)
    splits = {entry.split for entry in entries}
    for label, members in rows.items():
        places = tuple(entry.where for entry in members)
        if len(members) == 1:
            yield Finding("class of one row", True, places, repr(label))
        elif "train" in splits and all(entry.split != "train" for entry in members):
            yield Finding("class not in train", True, places, repr(label))
