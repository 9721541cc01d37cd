"""What blocks, done in a thread of its own that gives way to calls."""

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

T = TypeVar("T")


class Aside:
    """A thread that does one thing after the other."""

    def __init__(self, nice: int) -> None:
        """``nice``: what is added to the process's niceness."""
        self._thread = ThreadPoolExecutor(1, "load", partial(_give_way, nice))

    async def do(self, work: Callable[..., T], *arguments: object) -> T:
        """What ``work`` returns, once what was given before is done; raises what it does."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    def close(self) -> None:
        """End the thread, once it has done what it was given."""
        self._thread.shutdown()


def _give_way(nice: int) -> None:
    # Like those that compute, and no more: whoever has to wait for a core while it holds the
    # interpreter's lock makes every call wait.
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), os.nice(0) + nice)
