"""Rows as the checks see them: what each says, what it is labelled, and what is wrong with it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from strop.errors import InputError

from ..content import content_columns, key_of, texts_in
from ..fields import answers_of, label_of, tags_of
from ..formats import Row
from ..formats.arrow import is_saved
from ..rows import find_split, read_rows
from ..shares import SPLITS

TARGETS = ("label", "labels", "score", "tags", "answers")
"""The columns to predict, by task; the first that a row has is its target."""


@dataclass(frozen=True)
class Entry:
    """A row that can be learnt from."""

    split: str
    """``all`` where the data is one file."""
    where: str
    key: str
    """What tells its content from another's."""
    texts: tuple[str, ...]
    """Its content, a text for each column."""
    passage: str | None
    """The context of a question."""
    target: str | None
    """What it is labelled, in words; a class by its name."""


@dataclass(frozen=True)
class Entries:
    """The rows of a data set."""

    usable: tuple[Entry, ...]
    unusable: Mapping[str, str]
    """What is wrong with a row, by its place."""
    target_column: str | None
    columns: tuple[str, ...]
    of_classes: bool
    """Whether a target is a class, rather than a score, tags or answers."""

    @classmethod
    def read(cls, path: Path, text_columns: Sequence[str], label_column: str | None) -> Self:
        """Read a file, or the splits that a folder has, and note every row that can't be learnt from.

        Raises ``InputError`` for a file that can't be read to its end.
        """
        usable, unusable = [], {}
        first: Mapping[str, object] | None = None
        for split, file in _files(path):
            for where, row in read_rows(file):
                if first is None:
                    first = row
                    columns = content_columns(where, row, text_columns)
                    target = label_column or next((name for name in TARGETS if name in row), None)
                    of_classes = target is not None and not isinstance(row.get(target), list | dict | float)
                try:
                    usable.append(_entry(split, (where, row), columns, target, of_classes=of_classes))
                except InputError as error:
                    unusable[where] = str(error).removeprefix(where).lstrip(": ")
        if first is None:
            raise InputError(f"{path} has no rows; give at least a few texts for each split")
        return cls(tuple(usable), unusable, target, columns, of_classes)


def _files(path: Path) -> list[tuple[str, Path]]:
    if not path.is_dir() or is_saved(path):
        return [("all", path)]
    found = [(name, file) for name in SPLITS if (file := find_split(path, name)) is not None]
    if not found:
        raise InputError(f"{path} has no {', '.join(SPLITS)} file; give a labelled file or such a folder")
    return found


def _entry(split: str, row: Row, columns: Sequence[str], target: str | None, *, of_classes: bool) -> Entry:
    where, values = row
    key = key_of(where, values, columns)
    if columns == ("tokens",) and target == "tags":
        tags_of(where, values)
    if "context" in columns and target == "answers":
        answers_of(where, values)
    label = None
    if target is not None and of_classes:
        label = label_of(where, values, target)
    elif target is not None:
        if values.get(target) is None:
            raise InputError(f"{where}: {target!r} is empty; give it a value or remove the row")
        label = json.dumps(values[target], ensure_ascii=False, sort_keys=True, default=str)
    return Entry(
        split=split,
        where=where,
        key=key,
        texts=tuple(" ".join(texts_in(values[column])) for column in columns),
        passage=str(values["context"]) if "context" in columns else None,
        target=label,
    )
