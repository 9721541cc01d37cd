"""The three splits of a labelled data set: read from a folder, or cut by a hash of the text."""

import hashlib
import json
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Self

import numpy as np

from strop.errors import InputError
from strop.tasks import Example, Task
from strop.tasks.text_classification import refuse_classes

from ..examples import DEFAULT_COLUMNS, Columns, read_examples
from ..on_demand import Picked
from .formats.arrow import is_saved
from .rows import ENDS, find_split
from .shares import SPLITS, Counts, Shares


@dataclass(frozen=True)
class Splits:
    """Examples to learn from, to choose the checkpoint by, and to judge the result by."""

    train: Sequence[Example]
    validation: Sequence[Example]
    test: Sequence[Example]
    task: Task = DEFAULT_COLUMNS.task

    @classmethod
    def of(cls, examples: Sequence[Example], shares: Shares, task: Task = DEFAULT_COLUMNS.task) -> Self:
        """Cut by a hash of the text, keeping the order; questions by that of their context, so that no
        context is in two splits.
        """
        places = {name: array("q") for name in SPLITS}
        for place, example in enumerate(examples):
            key = example.pair if task.windowed and example.pair else example.text
            places[shares.split_of(key)].append(place)
        return cls(**{name: Picked(examples, part) for name, part in places.items()}, task=task)

    @property
    def parts(self) -> Mapping[str, Sequence[Example]]:
        """The examples by split name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """The names of the model's outputs; an output's number is its place here."""
        return self.task.labels(self.train)

    @cached_property
    def sha256(self) -> str:
        """Of the content: every split's texts and labels in order, whatever file they came in."""
        digest = hashlib.sha256()
        for name, part in self.parts.items():
            for example in part:
                whole = [name, example.text, example.label, *([example.pair] if example.pair else [])]
                digest.update(json.dumps(whole).encode() + b"\n")
        return digest.hexdigest()

    def check(self, source: Path) -> Self:
        """Return itself, or raise ``InputError`` saying why nothing can be learnt from ``source``."""
        check_sizes(source, {name: len(part) for name, part in self.parts.items()})
        try:
            self.task.refuse(self.parts)
        except ValueError as error:
            raise InputError(f"{source}: {error}") from error
        return self


def check_sizes(source: Path, counts: Mapping[str, int]) -> None:
    """Raise ``InputError`` when a split has no rows."""
    for name, count in counts.items():
        if not count:
            raise InputError(f"{source}: its {name} split is empty; give it more texts")


def check_classes(source: Path, counts: Counts) -> None:
    """Raise ``InputError`` saying why no classes can be learnt from rows that come to ``counts``."""
    try:
        refuse_classes(counts)
    except ValueError as error:
        raise InputError(f"{source}: {error}") from error


def load_splits(path: Path, columns: Columns = DEFAULT_COLUMNS, shares: Shares | None = None) -> Splits:
    """Read a folder of train, validation and test files, or one file cut by ``shares``.

    Raises ``InputError`` naming the file, the place, the value and the fix.
    """
    if not path.is_dir() or is_saved(path):
        return Splits.of(read_examples(path, columns), shares or Shares(), columns.task).check(path)
    parts = {name: read_examples(split_file(path, name), columns) for name in SPLITS}
    _refuse_leak(path, parts)
    return Splits(**parts, task=columns.task).check(path)


def split_file(folder: Path, name: str) -> Path:
    """The file, or folder that ``datasets`` saved, with a split; ``InputError`` when there is none."""
    found = find_split(folder, name)
    if found is None:
        raise InputError(
            f"{folder} has no {name} split, a file that ends in {ENDS}; strop data split makes the three"
        )
    return found


def _refuse_leak(folder: Path, parts: Mapping[str, Sequence[Example]]) -> None:
    marks = {name: np.fromiter(map(_mark, part), np.int64, len(part)) for name, part in parts.items()}
    for other, name in combinations(parts, 2):
        # Marks of two texts can be equal by chance, though hardly ever.
        maybe, alike = (
            Picked(parts[one], np.flatnonzero(np.isin(marks[one], marks[two])))
            for one, two in ((other, name), (name, other))
        )
        texts = set(map(_texts, maybe))
        for example in alike:
            if _texts(example) in texts:
                raise InputError(
                    f"{folder}: {example.text[:60]!r} is in {other} and in {name}; remove it from"
                    " one of them, or scores will be too good to be true: strop data split"
                    f" {folder} --out FOLDER --drop-leaked"
                )


def _texts(example: Example) -> tuple[str, str | None]:
    return example.text, example.pair


def _mark(example: Example) -> int:
    """8 bytes for a text: those of a set larger than memory fit into it."""
    return hash(_texts(example))
