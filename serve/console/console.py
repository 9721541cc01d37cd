"""What the console shows: how models and calls are now, and the numbers of the last minutes."""

import contextlib
import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict

from prometheus_client.registry import Collector

from strop import __version__

from .figures import Facts, figures, point
from .readings import Reader, Span
from .state import State

log = logging.getLogger(__name__)

INTERVAL_SECONDS = 5.0
"""Between the moments of the charts."""
POINTS = 60
WINDOW = 12
"""The numbers are of so many intervals: of a minute."""
FRESH_SECONDS = 0.5
"""So old the JSON may be: however many watch, it is not made more often."""


class Console:
    """Remembers the last minutes of a registry, and tells them with the state; for any thread."""

    def __init__(
        self,
        registry: Collector,
        state: Callable[[], State],
        *,
        tries: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """``tries`` says that the page has a box to try a text in."""
        self.address: str | None = None
        """Where gRPC answers, once it does."""
        self._state = state
        self._tries = tries
        self._clock = clock
        self._reader = Reader(registry)
        self._lock = threading.Lock()
        self._began, self._began_at = clock(), time.time()
        self._readings = deque([self._reader.read(self._began)], WINDOW)
        self._points: deque[Facts] = deque(maxlen=POINTS)
        self._json = b""
        self._json_at = -FRESH_SECONDS

    @contextlib.contextmanager
    def marking(self) -> Iterator[None]:
        """Remember every few seconds while the block runs, whether somebody watches or not."""
        ended = threading.Event()

        def mark() -> None:
            while not ended.wait(INTERVAL_SECONDS):
                try:
                    self.mark()
                except Exception:
                    # A worker that starts may be about to write the files that are read.
                    log.exception("the console missed a moment")

        thread = threading.Thread(target=mark, name="console", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def mark(self) -> None:
        """Remember how far it has come; to be called every ``INTERVAL_SECONDS``."""
        with self._lock:
            reading = self._reader.read(self._clock())
            self._points.append(
                {"at": time.time()} | point(Span(self._reader, self._readings[-1], reading))
            )
            self._readings.append(reading)

    def json(self) -> bytes:
        """The facts, at most ``FRESH_SECONDS`` old."""
        with self._lock:
            if (now := self._clock()) - self._json_at >= FRESH_SECONDS:
                # No NaN or infinity: a browser's JSON has neither.
                self._json = json.dumps(self._facts(now), allow_nan=False).encode()
                self._json_at = now
            return self._json

    def _facts(self, now: float) -> Facts:
        """All of it; docs/console.md says what the fields are."""
        state = self._state()
        last = figures(Span(self._reader, self._readings[0], self._reader.read(now)))
        return {
            "server": {
                "version": __version__,
                "status": self._status(state),
                "address": self.address,
                "tries": self._tries,
                "started": self._began_at,
                "uptime_seconds": now - self._began,
            },
            "models": [asdict(model) for model in state.models],
            "failures": [asdict(failure) for failure in state.failures],
            "last": last,
            "points": list(self._points),
        }

    def _status(self, state: State) -> str:
        if self.address is None:
            return "starting"
        return "draining" if state.draining else "serving"
