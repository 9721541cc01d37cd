"""CSV and TSV: a header line, then rows."""

import csv
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from strop.errors import InputError

from . import Row
from .lines import read_lines


def read_csv(path: Path) -> Iterator[Row]:
    """The rows, each at the line where it ends; a value in quotes may hold commas and line ends.

    A header without a comma and with semicolons is Excel's in half of Europe, where the comma is decimal.
    """
    lines = read_lines(path)
    first = next(lines, "")
    semicolons = ";" in first and "," not in first
    reader = csv.reader(chain((first,), lines), strict=True, delimiter=";" if semicolons else ",")
    try:
        header = _header(path, next(reader, []))
        for values in reader:
            if not values:
                continue
            if len(values) > len(header):
                raise InputError(
                    f"{path} line {reader.line_num} has more values than the header has columns;"
                    f" put quotes around a text with {'semicolons' if semicolons else 'commas'}"
                )
            missing = [None] * (len(header) - len(values))
            yield f"line {reader.line_num}", dict(zip(header, [*values, *missing], strict=True))
    except csv.Error as error:
        raise InputError(f"{path} line {reader.line_num} is not CSV: {error}; mend the row") from error


def read_tsv(path: Path) -> Iterator[Row]:
    """The rows, each a line. A value in quotes is read as in CSV; a lone quote is part of its text.

    Half of all TSV files quote and half do not; a line tells by itself which it is, because it
    can't hold a line end either way.
    """
    header: list[str] = []
    for number, line in enumerate(read_lines(path), start=1):
        line = line.rstrip("\r\n")
        if not line.strip("\r\n "):
            continue
        values = _tab_separated(line)
        if not header:
            header = _header(path, values)
        elif len(values) != len(header):
            raise InputError(
                f"{path} line {number} has {len(values)} values, but the header has {len(header)}"
                " columns; a row is one line with a tab between values"
            )
        else:
            yield f"line {number}", dict(zip(header, values, strict=True))


def _tab_separated(line: str) -> list[str]:
    try:
        (values,) = csv.reader([line], delimiter="\t", strict=True)
    except csv.Error:
        return line.split("\t")
    return values


def _header(path: Path, names: Sequence[str]) -> list[str]:
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{path} line 1 names the column {name!r} twice; give each its own name")
    return list(names)
