"""The lines of a text file, gzipped or not, as UTF-8."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from strop.errors import InputError


def read_lines(path: Path) -> Iterator[str]:
    r"""Lines with their ends, which are ``\n`` alone: U+2028 and its like may stand inside a text.

    Raises ``InputError`` for a line that is not UTF-8, and for a broken ``.gz``.
    """
    offset = 0
    for number, line in enumerate(_byte_lines(path), start=1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise InputError(
                f"{path} line {number} is not UTF-8 (byte 0x{error.object[error.start]:02x} at offset"
                f" {offset + error.start}); save the file as UTF-8"
            ) from error
        offset += len(line)


def _byte_lines(path: Path) -> Iterator[bytes]:
    with open_bytes(path) as file:
        try:
            yield from file
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise InputError(f"{path} is not a whole gzip file ({error}); compress it again") from error


def open_bytes(path: Path) -> BinaryIO:
    """A file's bytes, unpacked where its name ends in ``.gz``."""
    return cast(BinaryIO, gzip.open(path)) if path.suffix.lower() == ".gz" else path.open("rb")
