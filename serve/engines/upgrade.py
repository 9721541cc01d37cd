"""Better engines prepared while the present ones serve, proven, and put in their place."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from strop.errors import StropError

from .engine import Engine
from .instances import Instances

log = logging.getLogger(__name__)

Progress = Callable[[float], None]
Prove = Callable[[Engine], None]
"""Lets an engine answer what is known, and warms it up; raises ``StropError`` when an answer is wrong."""


class Preparation(Protocol):
    """What makes the engines to change to; the methods block, and raise ``StropError`` with the reason."""

    name: str
    """What they run on."""

    def prepare(self, progress: Progress) -> str:
        """Make what opening needs, telling the part done, from 0 to 1; how it was had: ``built`` …"""
        ...

    def open(self, count: int) -> Sequence[Engine]:
        """So many engines."""
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

    def __init__(self, instances: Instances, preparation: Preparation, prove: Prove) -> None:
        self._instances = instances
        self._preparation = preparation
        self._prove = prove
        self._stopped = False
        self._thread: threading.Thread | None = None
        self.status = f"{preparation.name} is not begun"
        """How it goes, in a phrase."""

    def start(self, watcher: Watcher) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._run, args=[watcher], name="upgrade", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Give up what isn't done; blocks until nothing more will change."""
        self._stopped = True
        self._preparation.stop()
        if self._thread is not None:
            self._thread.join()

    def _run(self, watcher: Watcher) -> None:
        began, name = time.monotonic(), self._preparation.name
        step = "prepare"

        def progressed(part: float) -> None:
            self.status = f"{name} is being prepared, {part:.0%}"
            watcher.progressed(part)

        log.info("engines are prepared", extra={"facts": {"provider": name}})
        try:
            progressed(0.0)
            reason = self._preparation.prepare(progressed)
            step = "open"
            engines = self._preparation.open(len(self._instances))
            step = "prove"
            self._prove_all(engines)
            self._preparation.keep()
        except Exception as error:
            reason, engines = "stopped" if self._stopped else step, []
            self.status = f"{name} does not serve: {' '.join(str(error).split()) or type(error).__name__}"
            known = isinstance(error, StropError)
            log.warning("engines stay as they are: %s", self.status, exc_info=not known and error)
        if engines:
            for engine in distinct(self._instances.swap(engines)):
                engine.close()
            self.status = f"{name} serves"
        seconds = time.monotonic() - began
        facts = {"provider": self._instances.provider, "reason": reason, "seconds": round(seconds, 1)}
        log.info("engines were chosen", extra={"facts": facts})
        watcher.ended(self._instances.provider, reason, seconds, upgraded=bool(engines))

    def _prove_all(self, engines: Sequence[Engine]) -> None:
        """Prove each, or close all."""
        try:
            for engine in distinct(engines):
                if self._stopped:
                    raise StropError("it was stopped before it was proven")
                self._prove(engine)
        except BaseException:
            for engine in distinct(engines):
                engine.close()
            raise


def distinct(engines: Sequence[Engine]) -> list[Engine]:
    """Each engine once, as some may stand for several instances."""
    return list({id(engine): engine for engine in engines}.values())
