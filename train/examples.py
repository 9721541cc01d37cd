"""Labelled examples out of one JSONL, CSV or Parquet file; every fault is named with its line."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from strop.errors import InputError

# A place such as "line 3", and what stands there by column.
Row = tuple[str, Mapping[str, object]]


@dataclass(frozen=True)
class Example:
    """A text and the name of its class."""

    text: str
    label: str


def read_examples(path: Path, text_column: str, label_column: str) -> list[Example]:
    """Read a file in its own order.

    Raises ``InputError`` naming the file, the line or row, the value and the fix.
    """
    examples = [
        Example(_text(where, row, text_column), _label(where, row, label_column))
        for where, row in _rows(path)
    ]
    if not examples:
        raise InputError(f"{path} has no rows; give at least a few labelled texts for each class")
    return examples


def read_texts(path: Path, text_column: str = "text") -> list[str]:
    """Read the texts alone, labelled or not, in the file's own order; raises as ``read_examples``."""
    return [_text(where, row, text_column) for where, row in _rows(path)]


def _rows(path: Path) -> Iterator[Row]:
    """The rows, each with its file and place."""
    if not path.is_file():
        raise InputError(f"{path} does not exist; give a labelled file, or a folder of splits")
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(f"{path} can't be read; give a file that ends in {', '.join(READERS)}")
    return ((f"{path} {place}", row) for place, row in reader(path))


def _value(where: str, row: Mapping[str, object], column: str, option: str) -> object:
    if column not in row:
        there = ", ".join(map(str, row)) or "no column"
        raise InputError(f"{where} has no column {column!r}; it has: {there} (see {option})")
    return row[column]


def _text(where: str, row: Mapping[str, object], column: str) -> str:
    value = _value(where, row, column, "--text-column")
    if value is None or value == "":
        raise InputError(f"{where}: {column!r} is empty; give it a text or remove the row")
    if not isinstance(value, str):
        raise InputError(f"{where}: {column!r} is {value!r:.60}, not text; quote it")
    if not value.strip():
        raise InputError(f"{where}: {column!r} is blank; give it a text or remove the row")
    return _unicode(where, column, value)


def _label(where: str, row: Mapping[str, object], column: str) -> str:
    value = _value(where, row, column, "--label-column")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if value is None or (isinstance(value, str) and not value.strip()):
        raise InputError(f"{where}: {column!r} is empty; give it a class name or remove the row")
    if not isinstance(value, str):
        raise InputError(f"{where}: {column!r} is {value!r:.60}; a class is a name or whole number")
    return _unicode(where, column, value)


def _unicode(where: str, column: str, value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{where}: {column!r} holds half a surrogate pair at character {error.start};"
            " write the whole character"
        ) from error
    return value


def _decoded(path: Path) -> str:
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"{path} line {line} is not UTF-8 (byte 0x{error.object[error.start]:02x} at offset"
            f" {error.start}); save the file as UTF-8"
        ) from error


def _jsonl(path: Path) -> Iterator[Row]:
    # Not splitlines(): U+2028 and its like end a line there and may stand inside a JSON string.
    for number, line in enumerate(_decoded(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InputError(
                f"{path} line {number} is not JSON ({error}); write one object a line"
            ) from error
        if not isinstance(row, dict):
            raise InputError(f"{path} line {number} is {line!r:.60}; write one JSON object a line")
        yield f"line {number}", row


def _csv(path: Path) -> Iterator[Row]:
    rows = csv.DictReader(io.StringIO(_decoded(path), newline=""), strict=True)
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

    try:
        rows = parquet.read_table(path).to_pylist()
    except (pa.ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{path} is not a Parquet file: {reason}; write it again") from error
    for number, row in enumerate(rows, start=1):
        yield f"row {number}", row


READERS: Mapping[str, Callable[[Path], Iterator[Row]]] = {
    ".jsonl": _jsonl,
    ".csv": _csv,
    ".parquet": _parquet,
}
