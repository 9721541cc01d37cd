"""An engine built in a process of its own, which can be ended at any moment and ends with this one."""

import contextlib
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from strop.errors import StropError

from .cache import CachedEngine, EngineCache, EngineKey

PACKAGE = __name__.rpartition(".")[0]


class Builder:
    """Builds one engine into a cache; a build takes seconds to minutes and may be killed meanwhile."""

    def __init__(self, graph: Path, key: EngineKey, cache: EngineCache, card: str = "") -> None:
        """``card`` is the name of the card that the engine is tuned on, to be written beside it."""
        self._key = key
        self._cache = cache
        self._job = {
            "graph": str(graph.resolve()),
            "key": asdict(key),
            "cache": str(cache.folder.resolve()),
            "card": card,
        }
        self._process: subprocess.Popen[str] | None = None
        self._killed = False
        self._starting = threading.Lock()

    def run(self, progress: Callable[[float], None]) -> CachedEngine:
        """Build, and return what is then in the cache; ``progress`` hears the part done, from 0 to 1.

        Raises ``StropError`` with the reason when there is no engine in the end.
        """
        with tempfile.TemporaryFile("w+") as errors:
            process = self._start(errors)
            try:
                last = _converse(process, self._job, progress)
            finally:
                process.kill()
                process.wait()
            errors.seek(0)
            said = (errors.read().strip().splitlines() or ["it gave no reason"])[-1]
        if "error" in last:
            raise StropError(last["error"])
        if "done" not in last:
            how = "was stopped" if self._killed else f"ended with exit code {process.returncode}: {said}"
            raise StropError(f"the process that builds the engine {how}")
        engine, reason = self._cache.find(self._key)
        if engine is None:
            raise StropError(f"the engine that was built can't be used: {reason}")
        return engine

    def kill(self) -> None:
        """End a build under way, and let none begin; another thread may be waiting for it."""
        with self._starting:
            self._killed = True
            if self._process is not None:
                self._process.kill()

    def _start(self, errors: IO[str]) -> "subprocess.Popen[str]":
        with self._starting:
            if self._killed:
                raise StropError("the build was stopped before it began")
            self._process = subprocess.Popen(
                [sys.executable, "-m", PACKAGE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                # An interrupt at the terminal is for whoever waits for the build.
                process_group=0,
            )
            return self._process


def _converse(
    process: "subprocess.Popen[str]", job: Mapping[str, Any], progress: Callable[[float], None]
) -> dict[str, Any]:
    """Tell the process its job and hear it to the end; returns what it said last."""
    last: dict[str, Any] = {}
    assert process.stdin is not None  # noqa: S101
    assert process.stdout is not None  # noqa: S101
    # Standard input stays open meanwhile: its end is how the process knows that this one is gone.
    with process.stdin as orders, process.stdout as reports:
        with contextlib.suppress(BrokenPipeError):  # it was ended; its output says no more
            orders.write(json.dumps(job) + "\n")
            orders.flush()
        for line in reports:
            last = json.loads(line)
            if "progress" in last:
                progress(last["progress"])
    return last
