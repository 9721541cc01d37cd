"""A trace of arrivals in a file of its own: a CSV with a column of times, maybe gzipped."""

import csv
import gzip
import math
from datetime import datetime
from pathlib import Path

from strop.errors import InputError

NAMES = ("arrived", "arrival_s", "arrival", "timestamp", "time")
"""What the column is called; without any of these the first one is taken."""


def read_trace(path: Path) -> tuple[float, ...]:
    """When each call arrived, in seconds since the first, in order of time.

    A time is a number of seconds or an ISO 8601 date with time. Raises ``InputError`` naming the line,
    the value and the fix.
    """
    where = f"--trace {path}"
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8")
            if path.suffix == ".gz"
            else path.open(encoding="utf-8") as lines
        ):
            rows = csv.DictReader(lines)
            columns = rows.fieldnames or ()
            column = next((name for name in columns if name.lower() in NAMES), next(iter(columns), ""))
            times = sorted(_seconds(row[column], f"{where}, line {rows.line_num}", column) for row in rows)
    except (UnicodeDecodeError, gzip.BadGzipFile, EOFError, csv.Error) as error:
        raise InputError(f"{where} is no CSV in UTF-8: {error}; convert it") from error
    except OSError as error:
        raise InputError(f"{where} can't be read: {error.strerror}") from error
    if len(times) < 2 or times[0] == times[-1]:
        raise InputError(f"{where} has {len(times)} arrivals; it needs two at different times")
    return tuple(time - times[0] for time in times)


def _seconds(value: str | None, where: str, column: str) -> float:
    try:
        seconds = float(value or "")
    except ValueError:
        try:
            seconds = datetime.fromisoformat(value or "").timestamp()
        except ValueError:
            seconds = math.nan
    if not math.isfinite(seconds):
        raise InputError(
            f"{where}: {column!r} is {value!r}; it must be a number of seconds or an ISO 8601 time"
        )
    return seconds
