"""Sequences whose entries are fetched when they are asked for: a data set may be larger than memory."""

import os
import pickle
import tempfile
import weakref
from abc import abstractmethod
from array import array
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import IO, Any, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike

from strop.errors import StropError

T = TypeVar("T")
BUFFER = 1 << 20
"""Bytes that are gathered before they are written."""


class OnDemand(Sequence[T]):
    """Equal to any sequence of equal entries. What is fetched twice is two objects: change neither."""

    @abstractmethod
    def fetch(self, place: int) -> T:
        """The entry at a place from 0 to below the length."""

    @overload
    def __getitem__(self, place: int) -> T: ...
    @overload
    def __getitem__(self, place: slice) -> list[T]: ...
    def __getitem__(self, place: int | slice) -> T | list[T]:
        places = range(len(self))[place]
        return self.fetch(places) if isinstance(places, int) else [self.fetch(one) for one in places]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or len(self) != len(other):
            return False
        return all(own == its for own, its in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]


class Spooled(OnDemand[T]):
    """Entries of any kind on disk, in the order in which they came; of each, 8 bytes are in memory.

    The file has no name, is no other process's, and is gone when the sequence is.
    """

    def __init__(self, entries: Iterable[T] = ()) -> None:
        """Raises ``StropError`` when there is no room for them on disk."""
        with _faults_named():
            file = tempfile.TemporaryFile(buffering=0, dir=_folder())  # noqa: SIM115
        self._hold(file, array("q", [0]))
        self.extend(entries)

    def extend(self, entries: Iterable[T]) -> None:
        """Add entries at the end; raises as the constructor does."""
        pending = bytearray()
        for entry in entries:
            stored = pickle.dumps(entry, protocol=pickle.HIGHEST_PROTOCOL)
            pending += stored
            self._ends.append(self._ends[-1] + len(stored))
            if len(pending) > BUFFER:
                self._write(pending)
                pending.clear()
        self._write(pending)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def fetch(self, place: int) -> T:
        """A copy of the entry."""
        start, end = self._ends[place : place + 2]
        # Not by the file's own position, which a forked process would move, too.
        stored = os.pread(self._file.fileno(), end - start, start)
        entry: T = pickle.loads(stored)  # what this process wrote, where no other can
        return entry

    def __reduce__(self) -> tuple[Any, ...]:
        """For a process that is being started, which then reads the same file."""
        return _received, (DupFd(self._file.fileno()), self._ends)

    def _hold(self, file: IO[bytes], ends: "array[int]") -> None:
        """``ends`` are the places in ``file`` of the first entry's begin and of each entry's end."""
        self._file, self._ends = file, ends
        weakref.finalize(self, file.close)

    def _write(self, pending: bytes | bytearray) -> None:
        with _faults_named():
            while pending:
                pending = pending[os.write(self._file.fileno(), pending) :]


def _received(file: Any, ends: "array[int]") -> Spooled[Any]:
    spooled = Spooled.__new__(Spooled)
    spooled._hold(os.fdopen(file.detach(), "r+b", buffering=0), ends)  # noqa: SLF001
    return spooled


class Picked(OnDemand[T]):
    """Some entries of another sequence, or all, in an order of its own."""

    def __init__(self, entries: Sequence[T], places: ArrayLike) -> None:
        """``places`` are those of the entries, integers [n]."""
        self._entries = entries
        self._places = np.asarray(places, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._places)

    def fetch(self, place: int) -> T:
        """As the other sequence gives it."""
        return self._entries[int(self._places[place])]


class Grouped(OnDemand[tuple[T, ...]]):
    """Entries of another sequence that belong together, so many each."""

    def __init__(self, entries: Sequence[T], counts: ArrayLike) -> None:
        """``counts`` [groups] add up to the number of entries."""
        self._entries = entries
        self.starts = np.concatenate(([0], np.cumsum(counts, dtype=np.int64)))
        """The place of each group's first entry, and the number of all; int64 [groups + 1]."""

    def __len__(self) -> int:
        return len(self.starts) - 1

    def fetch(self, place: int) -> tuple[T, ...]:
        """A group."""
        return tuple(self._entries[slice(*self.starts[place : place + 2].tolist())])


@contextmanager
def _faults_named() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StropError(
            f"{_folder()} can't hold the data ({error.strerror}); free space there, or let TMPDIR name a"
            " folder on a larger disk"
        ) from error


def _folder() -> Path:
    """Where temporary files are: not by default in /tmp, which is kept in memory on many a machine."""
    given = os.environ.get("TMPDIR")
    return Path(given or ("/var/tmp" if Path("/var/tmp").is_dir() else tempfile.gettempdir()))  # noqa: S108
