"""Which columns of a file of texts hold what, and the task by which they are read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from strop.errors import InputError
from strop.tasks import Example, Task

PAIR_COLUMN = "text_pair"
"""Of tasks that can do without a second text."""

Text = tuple[str, ...]
"""What is asked about: a text alone, or with a second one that is judged together with it."""


@dataclass(frozen=True)
class Columns:
    """What is read of a row."""

    task: Task
    texts: tuple[str, ...]
    """A column for each text that the model takes."""
    label: str | None
    """None of a task without labels."""

    @classmethod
    def of(
        cls,
        task: Task,
        texts: int,
        *,
        text: str | None = None,
        pair: str | None = None,
        label: str | None = None,
    ) -> Self:
        """Those of a task whose model takes so many texts together, under its own names if none is given.

        Raises ``InputError`` for a second column where it takes one text, and for labels of a task that
        has none.
        """
        if pair and texts < 2:
            raise InputError(f"--pair-column {pair}: the model takes one text; leave it out")
        column = task.label_column or task.answer_column
        if label and column is None:
            raise InputError(f"--label-column {label}: {task.name} has no labels; leave it out")
        names = (text or task.text_column, pair or task.pair_column or PAIR_COLUMN)
        return cls(task, names[:texts], label or column)

    def read(self, where: str, row: Mapping[str, object]) -> tuple[Text, Example | None]:
        """The texts of a row, and the example that they are with their label if it has one.

        Raises ``InputError`` naming the place, the value and the fix.
        """
        label = row.get(self.label) if self.label else None
        if self.task.label_optional:
            label = label or None
        texts = tuple(self._text(where, row, column, labelled=label is not None) for column in self.texts)
        if label is None:
            return texts, None
        pair = texts[1] if len(texts) > 1 else None
        try:
            return texts, Example(texts[0], self.task.read_label(label, texts[0], pair), pair)
        except ValueError as error:
            raise InputError(f"{where}: {self.label!r} {error}") from error

    def _text(self, where: str, row: Mapping[str, object], column: str, *, labelled: bool) -> str:
        if column not in row:
            option = "--text-column" if column == self.texts[0] else "--pair-column"
            there = ", ".join(row) or "no column"
            raise InputError(f"{where} has no {column!r}; it has: {there} (see {option})")
        value = row[column]
        try:
            # Without a label it is what a caller sent, whatever that was.
            text = value if isinstance(value, str) and not labelled else self.task.read_text(value)
            text.encode()
        except ValueError as error:
            raise InputError(f"{where}: {column!r} {error}") from error
        return text
