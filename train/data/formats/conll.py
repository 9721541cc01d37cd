"""CoNLL columns: a token and its tag a line, a blank line after each sentence."""

import re
from collections.abc import Iterator
from pathlib import Path

from strop.errors import InputError

from . import Row
from .lines import read_lines

DOCUMENT_START = "-DOCSTART-"


def read(path: Path) -> Iterator[Row]:
    """Sentences as ``tokens`` (first column) and ``tags`` (last), each at its first line.

    Columns stand between tabs, or between spaces in a line without tabs. A -DOCSTART- line ends a
    sentence and is no token.
    """
    start, tokens, tags = 0, list[str](), list[str]()
    for number, columns in _columns(path):
        if columns:
            start = start if tokens else number
            tokens.append(columns[0])
            tags.append(columns[-1])
        elif tokens:
            yield f"line {start}", {"tokens": tokens, "tags": tags}
            tokens, tags = [], []
    if tokens:
        yield f"line {start}", {"tokens": tokens, "tags": tags}


def _columns(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Each line's number and columns; none for a line between sentences."""
    width = first = 0
    for number, line in enumerate(read_lines(path), start=1):
        columns = split_columns(line)
        if not columns or columns[0] == DOCUMENT_START:
            yield number, []
            continue
        if len(columns) < 2 or not all(columns):
            raise InputError(
                f"{path} line {number} is {line.strip()!r:.60}; give a token in the first column and"
                " its tag in the last"
            )
        width, first = (width, first) if width else (len(columns), number)
        if len(columns) != width:
            raise InputError(
                f"{path} line {number} has {len(columns)} columns, but line {first} has {width}; give"
                " every token the same columns"
            )
        yield number, columns


def split_columns(line: str) -> list[str]:
    """What stands between a line's tabs, or its spaces where it has no tab; none of a blank line."""
    line = line.rstrip("\r\n")
    if "\t" in line:
        return line.split("\t") if line.strip(" \t") else []
    return re.split(" +", line.strip(" ")) if line.strip(" ") else []
