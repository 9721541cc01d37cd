"""Parquet files, and folders that Hugging Face ``datasets`` saved (``save_to_disk``)."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from strop.errors import InputError

from . import Row

if TYPE_CHECKING:
    import pyarrow as pa

STATE_FILE = "state.json"
BATCH_ROWS = 1024
"""What is in memory at a time as Python objects."""
# pyarrow is imported where it is needed: most data are no Arrow, and it takes a moment.


def read_parquet(path: Path) -> Iterator[Row]:
    """The rows, a record batch in memory at a time, each at its number from 1."""
    from pyarrow import parquet

    with _faults_named(path, "a Parquet file"), parquet.ParquetFile(path) as file:
        yield from _rows(file.schema_arrow, file.iter_batches(BATCH_ROWS), start=1)


def read_saved(path: Path) -> Iterator[Row]:
    """The rows of one split that ``datasets`` saved, as ``read_parquet``.

    Reads the Arrow files themselves, so that ``datasets`` need not be installed.
    """
    import pyarrow as pa

    start = 1
    for file in _arrow_files(path):
        with _faults_named(file, "an Arrow file"), pa.memory_map(str(file)) as source:
            reader = pa.ipc.open_stream(source)
            for place, row in _rows(reader.schema, reader, start):
                yield place, row
                start += 1


def is_saved(path: Path) -> bool:
    """Whether ``datasets`` saved a split in this folder."""
    return (path / STATE_FILE).is_file()


def _arrow_files(folder: Path) -> list[Path]:
    path = folder / STATE_FILE
    try:
        names = [str(entry["filename"]) for entry in json.loads(path.read_bytes())["_data_files"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{path} is not what datasets writes ({error!r:.80}); save it again") from error
    files = [folder / name for name in names]
    for file in files:
        if not file.is_file():
            raise InputError(f"{file} does not exist, but {path} names it; save the data set again")
    return files


def _rows(schema: "pa.Schema", batches: "Iterator[pa.RecordBatch]", start: int) -> Iterator[Row]:
    names = _class_names(schema)
    number = start
    for batch in batches:
        for row in batch.to_pylist():
            for column, classes in names.items():
                row[column] = _named(row[column], classes)
            yield f"row {number}", row
            number += 1


def _class_names(schema: "pa.Schema") -> dict[str, Sequence[str]]:
    """The names behind the numbers of a column, by column, where ``datasets`` left them in the schema.

    A class, or a list of classes such as a sentence's tags.
    """
    try:
        info = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        features = info.get("info", {}).get("features", {})
        kinds = {column: kind.get("feature", kind) for column, kind in features.items()}
        return {
            column: kind["names"]
            for column, kind in kinds.items()
            if column in schema.names and isinstance(kind, Mapping) and kind.get("_type") == "ClassLabel"
        }
    except (ValueError, AttributeError, KeyError) as error:
        raise InputError(f"its features can't be read ({error!r:.80}); write it again") from error


def _named(value: object, classes: Sequence[str]) -> object:
    """A class by its name; a number without one, such as -1 for unknown, is no class."""
    if isinstance(value, list):
        return [_named(item, classes) for item in value]
    return classes[value] if isinstance(value, int) and 0 <= value < len(classes) else None


@contextmanager
def _faults_named(path: Path, kind: str) -> Iterator[None]:
    """Say which file a fault of Arrow is in."""
    import pyarrow as pa

    try:
        yield
    # ValueError: a string that is not UTF-8, a date out of Python's range, and Arrow's own.
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{path} is not {kind}: {reason}; write it again") from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
