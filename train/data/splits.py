"""The three splits of a labelled data set: read from a folder, or cut by a hash of the text."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from strop.errors import InputError

from ..examples import Example, read_examples
from .formats.arrow import is_saved
from .rows import READERS, find_split
from .shares import SPLITS, Counts, Shares


@dataclass(frozen=True)
class Splits:
    """Examples to learn from, to choose the checkpoint by, and to judge the result by."""

    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    test: tuple[Example, ...]

    @classmethod
    def of(cls, examples: Iterable[Example], shares: Shares) -> Self:
        """Cut by a hash of the text, keeping the order."""
        parts: dict[str, list[Example]] = {name: [] for name in SPLITS}
        for example in examples:
            parts[shares.split_of(example.text)].append(example)
        return cls(**{name: tuple(part) for name, part in parts.items()})

    @property
    def parts(self) -> Mapping[str, tuple[Example, ...]]:
        """The examples by split name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def labels(self) -> tuple[str, ...]:
        """The class names, sorted; a class's id is its place here."""
        return tuple(sorted({example.label for example in self.train}))

    @property
    def sha256(self) -> str:
        """Of the content: every split's texts and labels in order, whatever file they came in."""
        digest = hashlib.sha256()
        for name, part in self.parts.items():
            for example in part:
                digest.update(json.dumps([name, example.text, example.label]).encode() + b"\n")
        return digest.hexdigest()

    def check(self, source: Path) -> Self:
        """Return itself, or raise ``InputError`` saying why nothing can be learnt from ``source``."""
        counts = {name: Counter(example.label for example in part) for name, part in self.parts.items()}
        check_sizes(source, counts)
        check_classes(source, counts)
        return self


def check_sizes(source: Path, counts: Counts) -> None:
    """Raise ``InputError`` when a split has no rows."""
    for name, part in counts.items():
        if not part:
            raise InputError(f"{source}: its {name} split is empty; give it more texts")


def check_classes(source: Path, counts: Counts) -> None:
    """Raise ``InputError`` saying why no classes can be learnt from rows that come to ``counts``."""
    total = sum(counts.values(), Counter[str]())
    if len(total) < 2:
        raise InputError(f"{source}: every label is {next(iter(total))!r}; give two classes")
    for label, count in total.items():
        if count == 1:
            raise InputError(f"{source}: class {label!r} has one example; give it more or remove it")
    for name in ("validation", "test"):
        for label in counts[name].keys() - counts["train"].keys():
            raise InputError(
                f"{source}: label {label!r} is in the {name} split but not in train (which has"
                f" {', '.join(sorted(counts['train']))}); give train examples of it"
            )


def load_splits(
    path: Path,
    *,
    text_column: str = "text",
    label_column: str = "label",
    shares: Shares | None = None,
) -> Splits:
    """Read a folder of train, validation and test files, or one file cut by ``shares``.

    Raises ``InputError`` naming the file, the place, the value and the fix.
    """
    if not path.is_dir() or is_saved(path):
        examples = read_examples(path, text_column, label_column)
        return Splits.of(examples, shares or Shares()).check(path)
    parts = {
        name: tuple(read_examples(split_file(path, name), text_column, label_column)) for name in SPLITS
    }
    _refuse_leak(path, parts)
    return Splits(**parts).check(path)


def split_file(folder: Path, name: str) -> Path:
    """The file, or folder that ``datasets`` saved, with a split; ``InputError`` when there is none."""
    found = find_split(folder, name)
    if found is None:
        kinds = ", ".join(f"{name}{suffix}" for suffix in READERS)
        raise InputError(f"{folder} has no {name} split ({kinds}); strop data split makes the three")
    return found


def _refuse_leak(folder: Path, parts: Mapping[str, tuple[Example, ...]]) -> None:
    seen: dict[str, str] = {}
    for name, part in parts.items():
        for example in part:
            other = seen.setdefault(example.text, name)
            if other != name:
                raise InputError(
                    f"{folder}: {example.text[:60]!r} is in {other} and in {name}; remove it from"
                    " one of them, or scores will be too good to be true: strop data split"
                    f" {folder} --out FOLDER --drop-leaked"
                )
