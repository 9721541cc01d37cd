"""Rows out of any file with labelled data, one after the other; each fault is named with its place."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from strop.errors import InputError

from .formats import Row as Row
from .formats import arrow, conll, jsonl, squad, table

READERS: Mapping[str, Callable[[Path], Iterator[Row]]] = {
    ".jsonl": jsonl.read,
    ".csv": table.read_csv,
    ".tsv": table.read_tsv,
    ".parquet": arrow.read_parquet,
    ".conll": conll.read,
    ".iob": conll.read,
    ".iob2": conll.read,
    ".json": squad.read,
}
"""The formats by the end of a file's name."""
PACKED = {f"{suffix}.gz": read for suffix, read in READERS.items() if suffix != ".parquet"}
"""The same, gzipped; Parquet packs by itself."""
ENDS = f"{', '.join(READERS)} (.gz too, but for .parquet)"
"""How a file's name may end, in words."""


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a file, or of a split that ``datasets`` saved as a folder, in their own order.

    None is held longer than the caller holds it. Raises ``InputError`` for a missing or unknown file
    at once, and for a bad row when it is reached.
    """
    read = reader_of(path)
    return ((f"{path} {place}", row) for place, row in read(path))


def reader_of(path: Path) -> Callable[[Path], Iterator[Row]]:
    """What reads a file or saved folder; ``InputError`` when nothing does."""
    if path.is_dir() and arrow.is_saved(path):
        return arrow.read_saved
    if not path.is_file():
        raise InputError(f"{path} does not exist; give a labelled file, or a folder of splits")
    ends = "".join(path.suffixes[-2:]).lower()
    reader = PACKED.get(ends) or READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"{path} can't be read; give a file that ends in {ENDS}")
    return reader


def find_split(folder: Path, name: str) -> Path | None:
    """The file or saved folder that holds a split, such as ``train.csv``; ``InputError`` when two do."""
    found = [path for end in (*READERS, *PACKED) if (path := folder / f"{name}{end}").is_file()]
    if arrow.is_saved(folder / name):
        found.append(folder / name)
    if len(found) > 1:
        both = " and ".join(path.name for path in found)
        raise InputError(f"{folder} has {both}; keep one of them")
    return found[0] if found else None
