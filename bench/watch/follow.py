"""Lines of a file as it grows, as tail -F reads it, or of the standard input."""

import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from strop.errors import InputError

BLOCK_BYTES = 65_536
LONGEST_LINE = 262_144
"""Bytes; a longer line is left out."""
LINES = 32
POLL_SECONDS = 0.25
HEAD_BYTES = 256


@dataclass(frozen=True)
class Place:
    """How far a file was read."""

    inode: int
    offset: int
    head: str
    """sha256 of its first bytes, at most ``HEAD_BYTES`` that were read: an inode may be used again."""


@dataclass(frozen=True)
class Line:
    """A whole line."""

    content: bytes | None
    """Without its end; None of one that was too long."""
    end: int
    """Where in the file, or in the input, the next one begins."""


@dataclass(frozen=True)
class Block:
    """Some lines that were there together."""

    lines: Sequence[Line]
    place: Place | None
    """Where to go on after them; None of the standard input."""


class Splitter:
    """Cuts bytes into lines, holding at most one that isn't finished."""

    def __init__(self, offset: int = 0) -> None:
        self._offset = offset
        self._rest = b""
        self._too_long = False

    def feed(self, block: bytes) -> list[Line]:
        """The lines that ``block`` finishes."""
        *whole, rest = (self._rest + block).split(b"\n")
        lines = [self._line(content, ended=1) for content in whole]
        self._rest = rest
        if len(rest) > LONGEST_LINE:
            self._too_long = True
            self._offset += len(rest)
            self._rest = b""
        return lines

    def end(self) -> list[Line]:
        """The last line, if it was not ended."""
        rest, self._rest = self._rest, b""
        return [self._line(rest, ended=0)] if rest or self._too_long else []

    def _line(self, content: bytes, ended: int) -> Line:
        self._offset += len(content) + ended
        lost = self._too_long or len(content) > LONGEST_LINE
        self._too_long = False
        return Line(None if lost else content.removesuffix(b"\r"), self._offset)


def read_input(descriptor: int = 0) -> Iterator[Block]:
    """Lines of the standard input, as they come."""
    splitter = Splitter()
    while block := os.read(descriptor, BLOCK_BYTES):
        yield from (Block(lines, None) for lines in _portions(splitter.feed(block)))
    yield from (Block(lines, None) for lines in _portions(splitter.end()))


def read_file(
    path: Path, *, follow: bool, place: Place | None = None, wait: Callable[[float], None] = time.sleep
) -> Iterator[Block]:
    """Lines of a file from ``place`` on if it is still that file, else from its start.

    With ``follow`` it waits for more, and goes on with the new file where one has taken its place, or at
    the start where the file was cut. Raises ``InputError`` for a file that isn't there and isn't followed.
    """
    while True:
        try:
            file = path.open("rb")
        except OSError as error:
            if not follow or not isinstance(error, FileNotFoundError):
                reason = (error.strerror or str(error)).lower()
                raise InputError(f"{path} can't be read: {reason}; name a file of texts") from error
            wait(POLL_SECONDS)
            continue
        with file:
            yield from _read_open(file, path, _start(file, place), follow=follow, wait=wait)
        if not follow:
            return
        place = None


def _start(file: BinaryIO, place: Place | None) -> int:
    """Where to begin to read."""
    if place is None:
        return 0
    status = os.fstat(file.fileno())
    same = status.st_ino == place.inode and status.st_size >= place.offset
    return place.offset if same and _head(file, place.offset) == place.head else 0


def _read_open(
    file: BinaryIO, path: Path, offset: int, *, follow: bool, wait: Callable[[float], None]
) -> Iterator[Block]:
    """Lines until another file stands there, or without ``follow`` until the end."""
    splitter = Splitter(offset)
    file.seek(offset)
    replaced = False
    while True:
        if block := file.read(BLOCK_BYTES):
            yield from _placed(file, splitter.feed(block))
        elif not follow or replaced:
            yield from _placed(file, splitter.end())
            return
        elif _stands_elsewhere(file, path):
            # Once more: what was written last may have come after the last look.
            replaced = True
        elif os.fstat(file.fileno()).st_size < file.tell():
            file.seek(0)
            splitter = Splitter()
        else:
            wait(POLL_SECONDS)


def _stands_elsewhere(file: BinaryIO, path: Path) -> bool:
    try:
        return path.stat().st_ino != os.fstat(file.fileno()).st_ino
    except FileNotFoundError:
        return False  # the next one isn't there yet


def _placed(file: BinaryIO, lines: Sequence[Line]) -> Iterator[Block]:
    inode = os.fstat(file.fileno()).st_ino
    for portion in _portions(lines):
        end = portion[-1].end
        yield Block(portion, Place(inode, end, _head(file, end)))


def _head(file: BinaryIO, offset: int) -> str:
    head = os.pread(file.fileno(), min(offset, HEAD_BYTES), 0)
    return hashlib.sha256(head).hexdigest()


def _portions(lines: Sequence[Line]) -> Iterator[Sequence[Line]]:
    return (lines[start : start + LINES] for start in range(0, len(lines), LINES))
