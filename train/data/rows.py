"""Rows out of a JSONL, CSV or Parquet file, one after the other; every fault is named with its place."""

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from strop.errors import InputError

# A place such as "reviews.csv line 3", and what stands there by column.
Row = tuple[str, Mapping[str, object]]


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a file in its own order, none held longer than the caller holds it.

    Raises ``InputError`` for a missing or unknown file at once, and for a bad row when it is reached.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist; give a labelled file, or a folder of splits")
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"{path} can't be read; give a file that ends in {', '.join(READERS)}")
    return ((f"{path} {place}", row) for place, row in reader(path))


def _lines(path: Path) -> Iterator[str]:
    r"""Lines with their ends, which are ``\n`` alone: U+2028 and its like may stand inside a text."""
    offset = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise InputError(
                    f"{path} line {number} is not UTF-8 (byte 0x{line[error.start]:02x} at offset"
                    f" {offset + error.start}); save the file as UTF-8"
                ) from error
            offset += len(line)


def _jsonl(path: Path) -> Iterator[Row]:
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"{path} line {number} is not JSON ({error}); write one object a line"
            ) from error
        if not isinstance(row, dict):
            shown = line.rstrip("\r\n")
            raise InputError(f"{path} line {number} is {shown!r:.60}; write one JSON object a line")
        yield f"line {number}", row


def _csv(path: Path) -> Iterator[Row]:
    rows = csv.DictReader(_lines(path), strict=True)
    try:
        for row in rows:
            if None in row:
                raise InputError(
                    f"{path} line {rows.line_num} has more values than the header has columns;"
                    " put quotes around a text with commas"
                )
            yield f"line {rows.line_num}", row
    except csv.Error as error:
        raise InputError(f"{path} line {rows.reader.line_num} is not CSV: {error}; mend the row") from error


def _parquet(path: Path) -> Iterator[Row]:
    import pyarrow as pa
    from pyarrow import parquet

    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches():
                for row in batch.to_pylist():
                    number += 1
                    yield f"row {number}", row
    except (pa.ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{path} is not a Parquet file: {reason}; write it again") from error


READERS: Mapping[str, Callable[[Path], Iterator[Row]]] = {
    ".jsonl": _jsonl,
    ".csv": _csv,
    ".parquet": _parquet,
}
