"""Rows as JSONL, and the three files of a divided data set: whole or not there, never over others."""

import filecmp
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

from strop.errors import InputError

from ..console import console
from .formats import Row
from .shares import SPLITS, Counts
from .summary import class_summary


def write_splits(
    out: Path,
    rows: Iterable[tuple[str, Row]],
    *,
    label_column: str | None = "label",
    check: Callable[[Counts], None] = lambda _: None,
) -> None:
    """Write rows, each with its split, to train.jsonl, validation.jsonl and test.jsonl; say how many.

    Rows are written as they come, and held nowhere; ``check`` may refuse what they came to. Writing
    the same content again changes nothing; ``InputError`` rather than overwrite another, or for a
    value that JSON can't hold.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file; name a folder")
    counts: Counts = {name: Counter() for name in SPLITS}
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".split-") as scratch:
        with ExitStack() as stack:
            files = {
                name: stack.enter_context(Path(scratch, f"{name}.jsonl").open("wb")) for name in SPLITS
            }
            for split, (where, row) in rows:
                files[split].write(_line(where, row))
                counts[split][str(row[label_column]) if label_column else ""] += 1
        check(counts)
        _move(Path(scratch), out)
    for name, count in counts.items():
        classes = f" ({class_summary(count)})" if label_column else ""
        console(stderr=True).print(f"{out / name}.jsonl: {count.total()}{classes}")


def write_rows(path: Path, rows: Iterable[Row]) -> int:
    """Write rows to a JSONL file that isn't there yet, whole or not at all; returns how many.

    Raises ``InputError`` for a value that JSON can't hold.
    """
    count = 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".rows-") as scratch:
        draft = Path(scratch, path.name)
        with draft.open("wb") as file:
            for where, row in rows:
                file.write(_line(where, row))
                count += 1
        draft.rename(path)
    return count


def _move(scratch: Path, out: Path) -> None:
    partial = [scratch / f"{name}.jsonl" for name in SPLITS]
    for file in partial:
        path = out / file.name
        if path.exists() and not filecmp.cmp(path, file, shallow=False):
            raise InputError(f"{path} exists and differs; give another --out or remove it")
    out.mkdir(exist_ok=True)
    for file in partial:
        file.rename(out / file.name)


def _line(where: str, row: Mapping[str, object]) -> bytes:
    try:
        return f"{json.dumps(row, ensure_ascii=False)}\n".encode()
    except (TypeError, ValueError) as error:
        raise InputError(f"{where} can't be written as JSON ({error}); remove that column") from error
