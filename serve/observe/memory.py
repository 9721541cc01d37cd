"""The memory of this process, and giving it back to the machine."""

import contextlib
import ctypes
import os
from pathlib import Path


def resident_bytes() -> int:
    """What this process holds in memory now (RSS)."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def give_back() -> None:
    """Let the C library return what was freed: by itself it keeps it for later.

    Does nothing where it has no ``malloc_trim``, which is glibc's.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
