"""What a process and its children use of the machine, as the kernel counts it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import psutil

from strop.errors import StropError

SAMPLE_SECONDS = 1.0


class Usage:
    """CPU time, memory, files and threads of a process tree.

    Each raises ``StropError`` when a process of it has ended.
    """

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)

    @property
    def cpu_seconds(self) -> float:
        """CPU time spent so far, user and system."""
        return self._sum(lambda process: float(sum(process.cpu_times()[:2])))

    @property
    def resident_bytes(self) -> int:
        """Resident set size; pages that processes share count for each."""
        return int(self._sum(lambda process: process.memory_info().rss))

    @property
    def open_files(self) -> int:
        """File descriptors, sockets and pipes among them."""
        return int(self._sum(lambda process: process.num_fds()))

    @property
    def threads(self) -> int:
        """Threads of all processes."""
        return int(self._sum(lambda process: process.num_threads()))

    def _sum(self, read: Callable[[Any], float]) -> float:
        try:
            return sum(map(read, [self._root, *self._root.children(recursive=True)]))
        except psutil.NoSuchProcess as error:
            raise StropError(f"process {error.pid} ended while it was measured") from error


@contextlib.asynccontextmanager
async def watched_memory(usage: Usage) -> AsyncIterator[list[tuple[float, int]]]:
    """(``time.perf_counter``, resident bytes) once a second, from now to the block's end."""
    samples = [(time.perf_counter(), usage.resident_bytes)]

    async def watch() -> None:
        while True:
            await asyncio.sleep(SAMPLE_SECONDS)
            samples.append((time.perf_counter(), usage.resident_bytes))

    watching = asyncio.create_task(watch())
    try:
        yield samples
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
