"""IOB2 tags of words: ``B-PER`` begins a person, ``I-PER`` goes on with it, ``O`` is outside."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

OUTSIDE = "O"
_TAG = re.compile(r"O|[BI]-\S+")


def read_tags(tags: Sequence[object]) -> tuple[str, ...]:
    """The tags, where an ``I-`` that continues nothing is the beginning that it is.

    ``ValueError`` for what is no tag.
    """
    known = []
    for tag in tags:
        if not isinstance(tag, str) or not _TAG.fullmatch(tag):
            raise ValueError(f"has the tag {tag!r:.60}; write O, B-TYPE or I-TYPE")
        known.append(tag)
    return tuple(
        f"B-{tag[2:]}" if tag.startswith("I-") and before[2:] != tag[2:] else tag
        for before, tag in zip((OUTSIDE, *known), known, strict=False)
    )


def entity_types(labels: Sequence[str]) -> Mapping[str, int]:
    """The types in the order of the labels, each with its place."""
    return {
        kind: place for place, kind in enumerate(dict.fromkeys(tag[2:] for tag in labels if tag != OUTSIDE))
    }


def both_tags(types: Iterable[str]) -> tuple[str, ...]:
    """O, then both tags of each type."""
    return (OUTSIDE, *(f"{place}-{kind}" for kind in sorted(set(types)) for place in "BI"))


def stretches(tags: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """(type, first, last) of each entity; an ``I-`` that continues nothing begins one."""
    kind, first = "", 0
    for place, tag in enumerate((*tags, OUTSIDE)):
        if kind and tag != f"I-{kind}":
            yield kind, first, place - 1
            kind = ""
        if not kind and tag != OUTSIDE:
            kind, first = tag[2:], place
