"""Labelled examples out of the rows of one file."""

from dataclasses import dataclass
from pathlib import Path

from strop.errors import InputError

from .data.fields import label_of, text_of
from .data.rows import read_rows


@dataclass(frozen=True)
class Example:
    """A text and the name of its class."""

    text: str
    label: str


def read_examples(path: Path, text_column: str, label_column: str) -> list[Example]:
    """Read a file in its own order.

    Raises ``InputError`` naming the file, the line or row, the value and the fix.
    """
    examples = [
        Example(text_of(where, row, text_column), label_of(where, row, label_column))
        for where, row in read_rows(path)
    ]
    if not examples:
        raise InputError(f"{path} has no rows; give at least a few labelled texts for each class")
    return examples


def read_texts(path: Path, text_column: str = "text") -> list[str]:
    """Read the texts alone, labelled or not, in the file's own order; raises as ``read_examples``."""
    return [text_of(where, row, text_column) for where, row in read_rows(path)]
