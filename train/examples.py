"""Labelled examples out of the rows of one file, read as their task wants them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Self

from strop.errors import InputError
from strop.tasks import TASKS, Example, Label, Pooling, Task

from .data.fields import value_of
from .data.rows import read_rows
from .on_demand import Spooled


@dataclass(frozen=True)
class Columns:
    """Which columns hold what, and the task by which they are read."""

    task: Task
    text: str
    label: str | None
    """None of a task without labels."""
    pair: str | None = None
    """The second text, where there are two."""

    @classmethod
    def of(
        cls,
        task: str,
        *,
        text: str | None = None,
        label: str | None = None,
        pair: str | None = None,
        pooling: Pooling | None = None,
    ) -> Self:
        """The columns of a task, under its own names for those that are not given.

        Raises ``InputError`` for an unknown task, one column in two places, or a pair or a pooling that
        it can't take.
        """
        found = TASKS.get(task)
        if found is None:
            raise InputError(f"--task {task} is not known; give one of {', '.join(TASKS)}")
        try:
            found = found.pooled_by(pooling)
        except ValueError as error:
            raise InputError(f"--pooling {pooling}: {error}") from error
        if pair is not None and not found.takes_pairs:
            raise InputError(f"--pair-column {pair}: {task} takes one text; leave it out")
        if label is not None and found.label_column is None:
            raise InputError(f"--label-column {label}: {task} has no labels; leave it out")
        columns = cls(
            found, text or found.text_column, label or found.label_column, pair or found.pair_column
        )
        if columns.text == columns.label:
            raise InputError(
                f"--text-column and --label-column are both {columns.text!r}; name two columns"
            )
        if columns.pair is not None and columns.pair in (columns.text, columns.label):
            raise InputError(f"--pair-column is {columns.pair!r} like another column; name a third")
        return columns

    def unlabelled(self, where: str, row: Mapping[str, object]) -> Example:
        """The text or texts in a row, whatever its label; ``InputError`` as ``example``."""
        text = value_of(where, row, self.text, "--text-column", self.task.read_text)
        pair = self.pair and value_of(where, row, self.pair, "--pair-column", self.task.read_text)
        return Example(text, None, pair)

    def example(self, where: str, row: Mapping[str, object]) -> Example:
        """The example in a row; ``InputError`` names the place, the value and the fix."""
        found = self.unlabelled(where, row)
        if self.label is None or (self.task.label_optional and row.get(self.label) in (None, "")):
            return found

        def read_label(value: object) -> Label:
            return self.task.read_label(value, found.text, found.pair)

        return replace(found, label=value_of(where, row, self.label, "--label-column", read_label))


DEFAULT_COLUMNS = Columns.of("text-classification")


def read_examples(path: Path, columns: Columns = DEFAULT_COLUMNS) -> Sequence[Example]:
    """Read a file in its own order; what it holds is kept on disk.

    Raises ``InputError`` naming the file, the line or row, the value and the fix.
    """
    examples = Spooled(columns.example(where, row) for where, row in read_rows(path))
    if not examples:
        raise InputError(f"{path} has no rows; give at least a few labelled texts for each class")
    return examples


def read_unlabelled(path: Path, columns: Columns = DEFAULT_COLUMNS) -> Sequence[Example]:
    """Read the text or texts of each row, labelled or not, of a file that may have none."""
    return Spooled(columns.unlabelled(where, row) for where, row in read_rows(path))


def require_texts(path: Path, columns: Columns = DEFAULT_COLUMNS) -> None:
    """Raise ``InputError`` as ``read_unlabelled`` for what the first row shows, such as other columns."""
    for where, row in islice(read_rows(path), 1):
        columns.unlabelled(where, row)
