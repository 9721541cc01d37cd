"""What a row says, whatever its task: the columns to learn from, as one text."""

import json
import unicodedata
from collections.abc import Iterator, Mapping, Sequence

from strop.errors import InputError

from .fields import text_of

FAMILIES = (
    ("text", "text_pair"),
    ("text1", "text2"),
    ("sentence1", "sentence2"),
    ("tokens",),
    ("context", "question"),
    ("anchor", "positive"),  # not every row has a negative
    ("prompt", "response"),
    ("messages",),
    ("turns",),
)
"""The columns that go together, by task. The first that a row has is what it says."""


def content_columns(where: str, row: Mapping[str, object], given: Sequence[str] = ()) -> tuple[str, ...]:
    """The columns of a row's content: ``given``, or those of the first family that it has."""
    if given:
        return tuple(given)
    for family in FAMILIES:
        if family[0] in row:
            return tuple(column for column in family if column in row)
    there = ", ".join(map(str, row)) or "no column"
    raise InputError(f"{where} has no column to learn from; it has: {there} (see --text-column)")


def key_of(where: str, row: Mapping[str, object], columns: Sequence[str]) -> str:
    """What tells a row's content from another's: the text itself where it is one text.

    Raises ``InputError`` with the place when a column is missing, empty or no text.
    """
    if len(columns) == 1 and not isinstance(row.get(columns[0]), list):
        return text_of(where, row, columns[0])
    return json.dumps([_content(where, row, column) for column in columns], ensure_ascii=False)


def normalised(text: str) -> str:
    """A text without what a reader hardly sees: width and form (NFKC), case, kind of space."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def texts_in(value: object) -> Iterator[str]:
    """Every text in a value, however deep in lists and objects."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from texts_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts_in(item)


def _content(where: str, row: Mapping[str, object], column: str) -> object:
    value = row.get(column)
    if not isinstance(value, list):
        return text_of(where, row, column)
    text = " ".join(texts_in(value))
    # What a text must be holds for a list's texts together.
    text_of(where, {column: text}, column)
    return value
