"""The three splits of a labelled data set: read from a folder, or cut by a hash of the text."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Self

from cyclopts import Parameter

from strop.errors import InputError

from ..examples import Example, read_examples
from .rows import READERS, find_split

SPLITS = ("train", "validation", "test")


@Parameter(name="*")
@dataclass(frozen=True)
class Shares:
    """How much of the data goes to training and to choosing the checkpoint; the rest is the test."""

    train_share: Annotated[float, Parameter(help="Share of the texts to learn from.")] = 0.70
    validation_share: Annotated[
        float, Parameter(help="Share that chooses the checkpoint. What is left is the test.")
    ] = 0.15

    def __post_init__(self) -> None:
        """Raise ``InputError`` when a split would be empty."""
        if min(self.train_share, self.validation_share, self.test_share) <= 0:
            raise InputError(
                f"--train-share {self.train_share} and --validation-share {self.validation_share}"
                " must be above 0 and add up to less than 1: the rest is the test split"
            )

    @property
    def test_share(self) -> float:
        """What the other two leave."""
        return round(1 - self.train_share - self.validation_share, 9)

    def split_of(self, text: str) -> str:
        """The split of a text, by its sha256 alone: it never moves, whatever else the data holds."""
        place = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) / 2**64
        if place < self.train_share:
            return "train"
        return "validation" if place < self.train_share + self.validation_share else "test"


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
        for name, part in self.parts.items():
            if not part:
                raise InputError(f"{source}: its {name} split is empty; give it more texts")
        counts = Counter(example.label for part in self.parts.values() for example in part)
        if len(counts) < 2:
            raise InputError(f"{source}: every label is {next(iter(counts))!r}; give two classes")
        for label, count in counts.items():
            if count == 1:
                raise InputError(f"{source}: class {label!r} has one example; give it more or remove it")
        for name in ("validation", "test"):
            for label in {example.label for example in self.parts[name]} - set(self.labels):
                raise InputError(
                    f"{source}: label {label!r} is in the {name} split but not in train (which has"
                    f" {', '.join(self.labels)}); give train examples of it"
                )
        return self


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
    if not path.is_dir():
        examples = read_examples(path, text_column, label_column)
        return Splits.of(examples, shares or Shares()).check(path)
    parts = {
        name: tuple(read_examples(_split_file(path, name), text_column, label_column)) for name in SPLITS
    }
    _refuse_leak(path, parts)
    return Splits(**parts).check(path)


def _split_file(folder: Path, name: str) -> Path:
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
                    " one of them, or scores will be too good to be true"
                )
