"""``strop data split``: a labelled file to train, validation and test."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from strop.errors import InputError

from ..console import console
from .content import content_columns, key_of
from .fields import label_of
from .formats import Row
from .formats.arrow import is_saved
from .leaks import Leaks
from .rows import read_rows
from .shares import SPLITS, Counts, Shares, Strata
from .splits import check_classes, check_sizes, split_file
from .written import write_splits


@Parameter(name="*")
@dataclass(frozen=True)
class SplitConfig:
    """Which file to split, where to, and what stays together."""

    file: Path
    """The labelled file, of any format; or a folder of splits, to drop what leaks between them."""
    _: KW_ONLY
    out: Path
    """Folder for train.jsonl, validation.jsonl and test.jsonl. Every column is kept."""
    text_column: Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="")] = ()
    """The column with the text; several where a row is a pair. Default: what the row has of text,
    text_pair, tokens, context, question, prompt, response, messages and their like."""
    label_column: str | None = None
    """The column with the class name. Default: label, where rows have it."""
    group: str | None = None
    """A column whose value never straddles splits, such as a customer or an article. Questions on a
    passage (context) are such a group without being told."""
    stratify: str | None = None
    """A column, such as label, in each of whose values the ratio holds as closely as whole texts
    allow. For rare classes. Texts near a border may then move between splits as data grows."""
    drop_leaked: Annotated[bool, Parameter(negative="")] = False
    """Leave out of train what is in validation or test as well, and out of validation what is in
    test, but for case, spaces and Unicode form. Never drops a test row."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` when a folder of splits is to be split again."""
        if not self.is_split:
            return
        for name in ("group", "stratify"):
            if value := getattr(self, name):
                raise InputError(f"--{name} {value}: {self.file} is split already; give one file")
        if not self.drop_leaked:
            raise InputError(
                f"{self.file} is a folder; give one labelled file, or --drop-leaked to keep its splits"
                " and leave out of train what the others have too"
            )

    @property
    def is_split(self) -> bool:
        """Whether the input is a folder of splits."""
        return self.file.is_dir() and not is_saved(self.file)


def split(config: SplitConfig, *, shares: Shares | None = None) -> None:
    """Divide rows by a hash of the text, so that a text never moves and none is in two splits.

    With --group it is the group that is hashed. A folder of splits keeps them: see --drop-leaked.
    """
    label = _class_column(config)
    rule = _rule(config, shares or Shares())
    leaks = None
    if config.drop_leaked or config.group:
        leaks = Leaks((name, _key(config, row)) for name, row in _assigned(config, rule))
    dropped: Counter[str] = Counter()

    def kept() -> Iterator[tuple[str, Row]]:
        for name, row in _assigned(config, rule):
            if label:
                label_of(*row, label)
            if leaks is None or (name, _key(config, row)) not in leaks:
                yield name, row
            elif config.drop_leaked:
                dropped[name] += 1
            else:
                raise InputError(
                    f"{row[0]} is in {name}, but another group brings its text to a later split;"
                    " --drop-leaked leaves it out"
                )

    def check(counts: Counts) -> None:
        check_sizes(config.file, {name: count.total() for name, count in counts.items()})
        if label:
            check_classes(config.file, counts)

    write_splits(config.out, kept(), label_column=label, check=check)
    for name, count in dropped.items():
        console(stderr=True).print(f"dropped from {name}, because a later split has it too: {count}")


def _class_column(config: SplitConfig) -> str | None:
    """The column of classes, where rows have classes: not scores, tags or answers."""
    _, path = _files(config)[0]
    first = next(read_rows(path), None)
    if first is None:
        raise InputError(f"{path} has no rows; give at least a few texts for each split")
    where, row = first
    if config.label_column is not None:
        label_of(where, row, config.label_column)
        return config.label_column
    return "label" if isinstance(row.get("label"), str | int) else None


def _files(config: SplitConfig) -> list[tuple[str | None, Path]]:
    """What to read, each with the split that it is, or none where that is yet to be said."""
    if config.is_split:
        return [(name, split_file(config.file, name)) for name in SPLITS]
    return [(None, config.file)]


def _assigned(config: SplitConfig, rule: Callable[[Row], str]) -> Iterator[tuple[str, Row]]:
    for name, path in _files(config):
        for row in read_rows(path):
            yield name or rule(row), row


def _rule(config: SplitConfig, shares: Shares) -> Callable[[Row], str]:
    """What says which split a row goes to."""
    if config.stratify is None:
        return lambda row: shares.split_of(_unit(config, row))
    column = config.stratify
    rows = read_rows(config.file)
    strata = Strata(shares, ((_unit(config, row), label_of(*row, column, "--stratify")) for row in rows))
    return lambda row: strata.split_of(_unit(config, row))


def _key(config: SplitConfig, row: Row) -> str:
    """What tells a row from another."""
    return key_of(*row, content_columns(*row, config.text_column))


def _unit(config: SplitConfig, row: Row) -> str:
    """What goes to one split as a whole: the row's group, else its passage, else its content."""
    if config.group:
        return label_of(*row, config.group, "--group")
    columns = content_columns(*row, config.text_column)
    return key_of(*row, ("context",) if "context" in columns else columns)
