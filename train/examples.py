"""Labelled examples out of the rows of one file, read as their task wants them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

from strop.errors import InputError
from strop.tasks import TASKS, Example, Label, Task

from .data.rows import read_rows

Value = TypeVar("Value")


@dataclass(frozen=True)
class Columns:
    """Which columns hold what, and the task by which they are read."""

    task: Task
    text: str
    label: str
    pair: str | None = None
    """The second text, where the model judges two."""

    @classmethod
    def of(
        cls, task: str, *, text: str | None = None, label: str | None = None, pair: str | None = None
    ) -> Self:
        """The columns of a task, under its own names for those that are not given.

        Raises ``InputError`` for an unknown task, one column in two places, or a pair it can't take.
        """
        found = TASKS.get(task)
        if found is None:
            raise InputError(f"--task {task} is not known; give one of {', '.join(TASKS)}")
        if pair is not None and not found.takes_pairs:
            raise InputError(f"--pair-column {pair}: {task} takes one text; leave it out")
        columns = cls(found, text or found.text_column, label or found.label_column, pair)
        if columns.text == columns.label:
            raise InputError(
                f"--text-column and --label-column are both {columns.text!r}; name two columns"
            )
        if pair in (columns.text, columns.label):
            raise InputError(f"--pair-column is {pair!r} like another column; name a third")
        return columns

    def example(self, where: str, row: Mapping[str, object]) -> Example:
        """The example in a row; ``InputError`` names the place, the value and the fix."""
        text = _value(where, row, self.text, "--text-column", self.task.read_text)
        pair = self.pair and _value(where, row, self.pair, "--pair-column", self.task.read_text)

        def read_label(value: object) -> Label:
            return self.task.read_label(value, text)

        return Example(text, _value(where, row, self.label, "--label-column", read_label), pair)


DEFAULT_COLUMNS = Columns.of("text-classification")


def read_examples(path: Path, columns: Columns = DEFAULT_COLUMNS) -> list[Example]:
    """Read a file in its own order.

    Raises ``InputError`` naming the file, the line or row, the value and the fix.
    """
    examples = [columns.example(where, row) for where, row in read_rows(path)]
    if not examples:
        raise InputError(f"{path} has no rows; give at least a few labelled texts for each class")
    return examples


def read_texts(path: Path, columns: Columns = DEFAULT_COLUMNS) -> list[str]:
    """Read the texts alone, labelled or not, in the file's own order; raises as ``read_examples``."""
    return [
        _value(where, row, columns.text, "--text-column", columns.task.read_text)
        for where, row in read_rows(path)
    ]


def _value(
    where: str,
    row: Mapping[str, object],
    column: str,
    option: str,
    read: Callable[[object], Value],
) -> Value:
    """What ``read`` makes of a column, every fault of it told with its place."""
    if column not in row:
        there = ", ".join(map(str, row)) or "no column"
        raise InputError(f"{where} has no column {column!r}; it has: {there} (see {option})")
    try:
        value = read(row[column])
        for part in value if isinstance(value, tuple) else (value,):
            str(part).encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{where}: {column!r} holds half a surrogate pair at character {error.start};"
            " write the whole character"
        ) from error
    except ValueError as error:
        raise InputError(f"{where}: {column!r} {error}") from error
    return value
