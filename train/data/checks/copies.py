"""The same content in more rows than one: within a split, across splits, labelled apart."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

from ..content import normalised
from .entries import Entry
from .findings import Finding

EXCERPT = 60


def find_copies(entries: Sequence[Entry], *, of_classes: bool) -> Iterator[Finding]:
    """Rows that say the same, and rows that do but for case, spaces and Unicode form (near).

    In two splits they are a leak; in one, a duplicate, which spoils nothing by itself. Nor do two
    scores or two answers of the same content, as raters give them; of two classes one is wrong.
    """
    for group in _groups(entries, lambda entry: normalised(entry.key)):
        splits = {entry.split for entry in group}
        # Near only when no two of them are the same to the letter, as far as it matters.
        same = len({(entry.split, entry.key) for entry in group}) > len({entry.key for entry in group})
        if len(splits) > 1:
            yield _finding("leak" if same else "near leak", group, spoils=True)
        else:
            exact = len({entry.key for entry in group}) == 1
            yield _finding("duplicate" if exact else "near duplicate", group, spoils=False)
        targets = sorted({entry.target for entry in group if entry.target is not None})
        if len(targets) > 1:
            yield _finding("conflicting labels", group, spoils=of_classes, told=" / ".join(targets))


def find_shared_passages(entries: Sequence[Entry]) -> Iterator[Finding]:
    """Passages with questions in two splits: the answers of the one help with the other."""
    asked = [entry for entry in entries if entry.passage is not None]
    for group in _groups(asked, lambda entry: normalised(entry.passage or "")):
        if len({entry.split for entry in group}) > 1:
            yield _finding("shared passage", group, spoils=True)


def _groups(entries: Iterable[Entry], by: Callable[[Entry], str]) -> Iterator[list[Entry]]:
    groups: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        groups[by(entry)].append(entry)
    return (group for group in groups.values() if len(group) > 1)


def _finding(check: str, group: Sequence[Entry], *, spoils: bool, told: str = "") -> Finding:
    excerpt = repr(group[0].texts[0][:EXCERPT])
    note = f"{told[:EXCERPT]}: {excerpt}" if told else excerpt
    return Finding(check, spoils, tuple(entry.where for entry in group), note)
