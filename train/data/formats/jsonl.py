"""JSON Lines: one object a line."""

import json
from collections.abc import Iterator
from pathlib import Path

from strop.errors import InputError

from . import Row
from .lines import read_lines


def read(path: Path) -> Iterator[Row]:
    """The objects, each at its line; blank lines are passed over."""
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        # A value nested a thousand deep is no JSON that anyone meant.
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"{path} line {number} is not JSON ({error}); write one object a line"
            ) from error
        if not isinstance(row, dict):
            shown = line.rstrip("\r\n")
            raise InputError(f"{path} line {number} is {shown!r:.60}; write one JSON object a line")
        yield f"line {number}", row
