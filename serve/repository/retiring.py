"""Versions that are no longer served: their calls are finished, then their memory goes back."""

import asyncio
import logging

from ..observe.memory import give_back, resident_bytes
from .aside import Aside
from .deployed import Deployed

log = logging.getLogger(__name__)


class Retiring:
    """Those that are on their way out."""

    def __init__(self, aside: Aside) -> None:
        self._aside = aside
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, deployed: Deployed) -> "asyncio.Task[None]":
        """Retire one to which no new calls go; the task ends when its memory is given back."""
        task = asyncio.create_task(self._finish(deployed))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def ended(self) -> None:
        """Wait for all."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _finish(self, deployed: Deployed) -> None:
        before = resident_bytes()
        await deployed.retire()
        await self._aside.do(give_back)
        facts = {
            "model": deployed.key.name,
            "version": deployed.key.version,
            "megabytes_before": round(before / 1e6),
            "megabytes_after": round(resident_bytes() / 1e6),
        }
        log.info("a model is no longer served", extra={"facts": facts})
