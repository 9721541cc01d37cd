"""``strop data redact``: personal data out of a data set, before anything is trained on it."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cyclopts import Parameter

from strop.errors import InputError

from ...console import console
from ..formats import Row
from ..formats.arrow import is_saved
from ..rows import find_split, reader_of
from ..shares import SPLITS


@Parameter(name="*")
@dataclass(frozen=True)
class RedactConfig:
    """What to mask, and where the masked copy goes."""

    data: Path
    """A file of any format that strop data reads, or a folder with some of train, validation, test."""
    out: Path
    """The masked copy: a file of the same format, or a folder. It must not exist yet."""
    region: str | None = None
    """Country (ISO 3166, such as GB or CN) whose phone numbers are also found without their +44 or
    +86. Without it a number counts only with its country."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` when the copy would overwrite something, or be of another format."""
        if self.out.exists():
            raise InputError(f"{self.out} exists; give another name, or remove it")
        if is_saved(self.data):
            raise InputError(f"{self.data} was saved by datasets; save it as Parquet (to_parquet) first")
        if self.data.is_file() and self.data.suffixes[-2:] != self.out.suffixes[-2:]:
            ends = "".join(self.data.suffixes[-2:])
            raise InputError(f"{self.out} is of another format than {self.data}; end it in {ends}")


def redact(config: RedactConfig) -> None:
    """Mask e-mail addresses, IBANs, national IDs, payment cards and phone numbers, by their checksums.

    Each becomes its kind, such as [EMAIL]; tags and answers stay in place. A row where they can't is
    left out and named. What was masked is never printed.
    """
    # Not at the top: the options' help must not wait for the numbering plans.
    from strop.redaction import KINDS, finder, masked

    from .masking import Masker
    from .rewrite import rewrite

    find = finder(config.region)
    masker = Masker(find)
    notices = console(stderr=True)

    def change(row: Row) -> Mapping[str, object] | None:
        try:
            return masker.row(row)
        except InputError as error:
            # The reason may quote the row.
            notices.print(f"left out: {masked(str(error), find(str(error)))}")
            return None

    config.out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=config.out.parent, prefix=".redact-") as scratch:
        copy = Path(scratch, config.out.name)
        for source, target in _files(config.data, copy):
            target.parent.mkdir(exist_ok=True)
            rewrite(source, target, change)
        copy.rename(config.out)
    counts = ", ".join(f"{kind} {masker.counts[kind]}" for kind in KINDS)
    console().print(f"{config.out}: masked {counts}")


def _files(data: Path, copy: Path) -> list[tuple[Path, Path]]:
    """Each file and its masked copy."""
    if not data.is_dir():
        reader_of(data)
        return [(data, copy)]
    found = [file for name in SPLITS if (file := find_split(data, name)) is not None]
    if not found:
        raise InputError(f"{data} has no {', '.join(SPLITS)} file; give a file, or such a folder")
    return [(file, copy / file.name) for file in found]
