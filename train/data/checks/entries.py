"""Rows as the checks see them: what each says, what it is labelled, and what is wrong with it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from strop.errors import InputError
from strop.tasks import TASKS, Example, Task

from ..content import content_columns, key_of, texts_in
from ..fields import text_of, value_of
from ..formats import Row
from ..formats.arrow import is_saved
from ..rows import ENDS, find_split, read_rows
from ..shares import SPLITS

CLASSES = TASKS["text-classification"]
TAGS = TASKS["token-classification"]
TARGETS = {
    "label": CLASSES,
    "labels": TASKS["multi-label-classification"],
    "score": TASKS["regression"],
    "tags": TAGS,
    "answers": TASKS["question-answering"],
}
"""The columns to predict, each with its task; the first that a row has is its target."""


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
    labels: tuple[str, ...]
    """The names in it, each once: a class, several labels, kinds of entities; none of a score."""


@dataclass(frozen=True)
class Entries:
    """The rows of a data set."""

    usable: tuple[Entry, ...]
    unusable: Mapping[str, str]
    """What is wrong with a row, by its place."""
    target_column: str | None
    columns: tuple[str, ...]
    task: Task | None
    """What is to be told; None without a column to predict."""

    @property
    def of_classes(self) -> bool:
        """Whether a target is one class, rather than several labels, a score, tags or answers."""
        return self.task is CLASSES

    @classmethod
    def read(cls, path: Path, text_columns: Sequence[str], label_column: str | None) -> Self:
        """Read a file, or the splits that a folder has, and note every row that can't be learnt from.

        Raises ``InputError`` for a file that can't be read to its end, and for a column that is named and
        not there.
        """
        usable, unusable = [], {}
        first: Mapping[str, object] | None = None
        for split, file in _files(path):
            for where, row in read_rows(file):
                if first is None:
                    first = row
                    _require_columns(where, row, text_columns, label_column)
                    columns = content_columns(where, row, text_columns)
                    target = label_column or next((name for name in TARGETS if name in row), None)
                    task = _task(target, row[target], columns) if target else None
                try:
                    usable.append(_entry(split, (where, row), columns, target, task))
                except InputError as error:
                    unusable[where] = str(error).removeprefix(where).lstrip(": ")
        if first is None:
            raise InputError(f"{path} has no rows; give at least a few texts for each split")
        return cls(tuple(usable), unusable, target, columns, task)


def _files(path: Path) -> list[tuple[str, Path]]:
    if not path.is_dir() or is_saved(path):
        return [("all", path)]
    found = [(name, file) for name in SPLITS if (file := find_split(path, name)) is not None]
    if not found:
        raise InputError(
            f"{path} has no split, a {', '.join(SPLITS)} file that ends in {ENDS}; give a labelled file or"
            " such a folder"
        )
    return found


def _require_columns(
    where: str, row: Mapping[str, object], text_columns: Sequence[str], label_column: str | None
) -> None:
    named = [(column, "--text-column") for column in text_columns]
    for column, option in (*named, *([(label_column, "--label-column")] if label_column else [])):
        value_of(where, row, column, option, lambda value: value)


def _task(column: str, value: object, columns: Sequence[str]) -> Task:
    """What a column asks for, by its name and by what stands in it."""
    if isinstance(value, float):
        return TARGETS["score"]
    if isinstance(value, int) and column != "score":
        return CLASSES
    if isinstance(value, list | dict) and column not in TARGETS:
        column = "tags" if columns == ("tokens",) else "answers" if "context" in columns else "labels"
    return TARGETS.get(column, CLASSES)


def _entry(split: str, row: Row, columns: Sequence[str], target: str | None, task: Task | None) -> Entry:
    where, values = row
    key = key_of(where, values, columns)
    passage = text_of(where, values, "context") if "context" in columns else None
    told: str | None = None
    labels: tuple[str, ...] = ()
    if target is not None and task is not None:
        example = _example(row, columns, target, task, passage)
        told = str(example.label) if task is CLASSES else _as_json(values[target])
        labels = tuple(sorted(set(task.named([example]))))
    return Entry(
        split=split,
        where=where,
        key=key,
        texts=tuple(" ".join(texts_in(values[column])) for column in columns),
        passage=passage,
        target=told,
        labels=labels,
    )


def _example(row: Row, columns: Sequence[str], target: str, task: Task, passage: str | None) -> Example:
    """The row as its task reads it; ``InputError`` with the place for a label that it refuses."""
    where, values = row
    # A tag belongs to a word; of other texts no label needs to know.
    text = value_of(where, values, columns[0], "--text-column", task.read_text) if task is TAGS else ""
    label = value_of(
        where, values, target, "--label-column", lambda value: task.read_label(value, text, passage)
    )
    return Example(text, label, passage)


def _as_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
