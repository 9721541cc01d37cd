"""How rows are spread over labels."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from .entries import Entry
from .findings import Finding


def class_counts(entries: Sequence[Entry]) -> dict[str, dict[str, int]]:
    """Rows with a label, by label, by split; empty where there are none."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for entry in entries:
        if entry.labels:
            counts[entry.split].update(entry.labels)
    return {split: dict(count) for split, count in counts.items()}


def find_unlearnable(entries: Sequence[Entry], *, of_classes: bool) -> Iterator[Finding]:
    """Labels that another split asks for and train has not; of classes also one of one row, or only one."""
    rows: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        for label in entry.labels:
            rows[label].append(entry)
    splits = {entry.split for entry in entries}
    for label, members in rows.items():
        places = tuple(entry.where for entry in members)
        if of_classes and len(rows) == 1:
            yield Finding("only one class", True, places, f"{label!r}; there must be two to tell apart")
        elif of_classes and len(members) == 1:
            yield Finding("class of one row", True, places, repr(label))
        elif "train" in splits and all(entry.split != "train" for entry in members):
            yield Finding("class not in train", True, places, repr(label))
