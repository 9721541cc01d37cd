"""What files hold, read again when one of them changes."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from strop.errors import InputError

log = logging.getLogger(__name__)

T = TypeVar("T")

LOOK_SECONDS = 1.0
Mark = tuple[int, int, int]
"""What tells that a file is another one: when it was written, its size, its inode."""


class Reloaded(Generic[T]):
    """A value that files hold; asked from any thread.

    Files that can't be read now, as while somebody exchanges them, leave the value as it was and say so
    in the log, once for each change.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        read: Callable[[], T],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises what ``read`` does: an ``InputError``."""
        self._paths = paths
        self._read = read
        self._clock = clock
        self._lock = threading.Lock()
        # Before they are read: a change meanwhile is then seen by the next look.
        self._marks = [_mark(path) for path in paths]
        self._looked = clock()
        self._value = read()

    def get(self) -> T:
        """The value, at most ``LOOK_SECONDS`` old."""
        if self._clock() - self._looked >= LOOK_SECONDS:
            with self._lock:
                self._look()
        return self._value

    def _look(self) -> None:
        self._looked = self._clock()
        marks = [_mark(path) for path in self._paths]
        if marks == self._marks:
            return
        self._marks = marks
        names = ", ".join(map(str, self._paths))
        try:
            self._value = self._read()
        except (InputError, OSError) as error:
            log.error("%s changed and can't be used; what was read before still holds: %s", names, error)
        else:
            log.warning("%s changed and was read again", names)


def _mark(path: Path) -> Mark | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
