"""Better engines prepared while the present ones serve, proven, and put in their place."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Protocol

from strop.errors import StropError

from .engine import Engine
from .instances import Instances, distinct
from .memory import Estimate

log = logging.getLogger(__name__)

Progress = Callable[[float], None]
Prove = Callable[[Engine], None]
"""Lets an engine answer what is known, and warms it up; raises ``StropError`` when an answer is wrong."""

Fit = Callable[[Estimate], None]
"""Raises ``StropError`` when there isn't so much memory beside what serves."""


class Preparation(Protocol):
    """What makes the engines to change to; the methods block, and raise ``StropError`` with the reason."""

    name: str
    """What they run on."""
    provider: str
    """What ``--provider`` calls that."""

    def prepare(self, progress: Progress) -> str:
        """Make what opening needs, telling the part done, from 0 to 1; how it was had: ``built`` …"""
        ...

    def estimate(self, count: int) -> Estimate:
        """What so many engines will take of the GPU's memory."""
        ...

    def open(self, count: int) -> Sequence[Engine]:
        """So many engines, or none."""
        ...

    def keep(self) -> None:
        """Keep what running them brought, for the next start."""
        ...

    def stop(self) -> None:
        """End ``prepare`` at once, on another thread."""
        ...


class Watcher(Protocol):
    """Who hears how an upgrade goes, on its thread."""

    def progressed(self, part: float) -> None:
        """So much of the preparation is done, from 0 to 1."""
        ...

    def ended(self, provider: str, reason: str, seconds: float, *, upgraded: bool) -> None:
        """What serves from now on, after so long. The reason is how better engines were had or, where
        they don't serve, the step that failed: ``prepare``, ``open``, ``prove``; or ``stopped``.
        """
        ...


class Upgrade:
    """One try on a thread of its own; if it fails in whatever way, what serves goes on serving."""

    def __init__(self, instances: Instances, preparation: Preparation, prove: Prove, fit: Fit) -> None:
        self._instances = instances
        self._preparation = preparation
        self._prove = prove
        self._fit = fit
        self._step = "prepare"
        self._done = self._stopped = False
        self._thread: threading.Thread | None = None
        self.status = f"{preparation.name} is not begun"
        """How it goes, in a phrase."""
        self.passed_over: Mapping[str, str] = {}
        """Why what was prepared doesn't serve, by the provider's name, once that is so."""

    def start(self, watcher: Watcher) -> None:
        """Begin, unless it is done already."""
        if not self._done:
            self._thread = threading.Thread(target=self._run, args=[watcher], name="upgrade", daemon=True)
            self._thread.start()

    def require(self) -> None:
        """Do it now, before anything serves; raises what kept the better engines from serving."""
        self._attempt(lambda part: None)

    def stop(self) -> None:
        """Give up what isn't done; blocks until nothing more will change."""
        self._stopped = True
        self._preparation.stop()
        if self._thread is not None:
            self._thread.join()

    def _run(self, watcher: Watcher) -> None:
        began = time.monotonic()
        log.info("engines are prepared", extra={"facts": {"provider": self._preparation.name}})
        try:
            reason = self._attempt(watcher.progressed)
        except Exception as error:
            why = " ".join(str(error).split()) or type(error).__name__
            reason = "stopped" if self._stopped else self._step
            if not self._stopped:
                self.passed_over = {self._preparation.provider: why}
            self.status = f"{self._preparation.name} does not serve: {why}"
            foreseen = isinstance(error, StropError)
            log.warning("engines stay as they are: %s", self.status, exc_info=None if foreseen else error)
        seconds, provider = time.monotonic() - began, self._instances.provider
        facts = {"provider": provider, "reason": reason, "seconds": round(seconds, 1)}
        log.info("engines were chosen", extra={"facts": facts})
        watcher.ended(provider, reason, seconds, upgraded=self._done)

    def _attempt(self, progressed: Progress) -> str:
        """Prepare, open, prove, swap; returns how the engines were had. What isn't swapped in is closed."""

        def tell(part: float) -> None:
            self.status = f"{self._preparation.name} is being prepared, {part:.0%}"
            progressed(part)

        tell(0.0)
        how = self._preparation.prepare(tell)
        self._step = "open"
        count = len(self._instances)
        # Memory that ran out now would run out for what serves, too.
        self._fit(self._preparation.estimate(count))
        engines = self._preparation.open(count)
        with ExitStack() as undo:
            for engine in distinct(engines):
                undo.callback(engine.close)
            self._step = "prove"
            for engine in distinct(engines):
                if self._stopped:
                    raise StropError("it was stopped before it was proven")
                self._prove(engine)
            self._preparation.keep()
            replaced = self._instances.swap(engines)
            undo.pop_all()
        self._done = True
        self.status = f"{self._preparation.name} serves"
        for engine in distinct(replaced):
            engine.close()
        return how
