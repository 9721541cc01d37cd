"""How far counters came over the last minutes, and since the start."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator

INTERVAL_SECONDS = 10.0
WINDOW_SECONDS = 300.0
LAST = f"{WINDOW_SECONDS / 60:.0f}m"
ALL = "start"


class Window:
    """Marks of some counters, taken every few seconds."""

    def __init__(
        self, read: Callable[[], tuple[float, ...]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``read`` tells the counters, now and whenever it is called."""
        self._read = read
        self._clock = clock
        self._began = self._now()
        self._marks = deque([self._began])
        """At the start of the window and since."""

    def mark(self) -> None:
        """Remember how far they have come; to be called every few seconds."""
        now = self._now()
        self._marks.append(now)
        # The first mark stays until the next one is old enough to begin the window.
        while self._marks[1][0] <= now[0] - WINDOW_SECONDS:
            self._marks.popleft()

    def stretches(self) -> Iterator[tuple[str, tuple[float, ...]]]:
        """``LAST`` and ``ALL``, each with the seconds in it and by how much every counter rose."""
        now = self._now()
        # A page may be read while the event loop takes another mark.
        for over, then in ((LAST, self._marks[0]), (ALL, self._began)):
            yield over, tuple(late - early for late, early in zip(now, then, strict=True))

    def _now(self) -> tuple[float, ...]:
        return (self._clock(), *self._read())

    @contextlib.asynccontextmanager
    async def marked(self) -> AsyncIterator[None]:
        """Take the marks while the block runs."""
        marker = asyncio.create_task(self._go_on())
        try:
            yield
        finally:
            marker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await marker

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(INTERVAL_SECONDS)
            self.mark()
