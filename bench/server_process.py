"""A ``strop serve`` of one's own: started on free ports, waited for, drained."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from strop.errors import InputError, StropError

READY_SECONDS = 120.0
STOP_SECONDS = 30.0
POLL_SECONDS = 0.02
ANY_PORT = "127.0.0.1:0"
STROP_SERVE = (sys.executable, "-m", "strop", "serve")


class ServerProcess:
    """A server from the beginning of a ``with`` block, where it is ready, to the end, where it drains.

    It has a process group of its own: an interrupt at the terminal reaches only whoever started it,
    and leaving the block stops it.
    """

    def __init__(
        self,
        bundle: Path,
        *options: object,
        show: bool = False,
        command: Sequence[str] = STROP_SERVE,
    ) -> None:
        """``options`` are further words of the command line; ``show`` lets its output be seen.

        ``command``: what begins that line, where it isn't ``strop serve`` itself but understands its words.
        """
        self.words = [str(word) for word in (bundle, "--address", ANY_PORT, "--metrics-address", ANY_PORT)]
        self.words += [str(word) for word in options]
        self.address = ""
        """Where it answers gRPC, as host:port, once it is ready."""
        self.metrics_address = ""
        """Where it answers HTTP, as host:port, once it is ready."""
        self.log = ""
        """All that it wrote to standard error, once it has ended."""
        self._show = show
        self._command = command

    @property
    def pid(self) -> int:
        """The process that was started; it may have workers of its own."""
        return self._process.pid

    def __enter__(self) -> Self:
        """Start it and wait until it is ready.

        Raises ``InputError`` or ``StropError``, by its exit code and with the last line that it
        said, when it does not come up.
        """
        with contextlib.ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="strop-")))
            self._errors = folder / "stderr"
            ready = folder / "ready.json"
            with self._errors.open("wb") as errors, _uninterrupted():
                self._process = subprocess.Popen(
                    [*self._command, *self.words, "--ready-file", str(ready)],
                    stdout=None if self._show else subprocess.DEVNULL,
                    stderr=errors,
                    process_group=0,
                )
                stack.callback(self._stop)
            found = self._wait(ready)
            self.address, self.metrics_address = found["address"], found["metrics_address"]
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drain it; ``StropError`` when it did not end well and nothing worse is under way."""
        with self._stack:
            self._stop()
            if error is None and self._process.returncode != 0:
                raise self._failure()

    def _wait(self, ready: Path) -> dict[str, str]:
        deadline = time.monotonic() + READY_SECONDS
        while not ready.exists():
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(POLL_SECONDS)
                raise self._failure()
            if time.monotonic() > deadline:
                raise StropError(f"strop serve was not ready after {READY_SECONDS:.0f} s")
        found: dict[str, str] = json.loads(ready.read_text(encoding="utf-8"))
        return found

    def _stop(self) -> None:
        try:
            self._process.terminate()
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        finally:
            # Also after an interrupt; whatever is left of the group goes with it.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self.log = self._errors.read_text(encoding="utf-8", errors="replace")

    def _failure(self) -> StropError:
        lines = self._errors.read_text(encoding="utf-8", errors="replace").splitlines()
        said = lines[-1].removeprefix("strop: ") if lines else "it said nothing"
        code = self._process.returncode
        if code == InputError.exit_code:
            return InputError(said)
        return StropError(f"strop serve ended with exit code {code}: {said}")


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Put an interrupt off to the end of the block: in the middle of a fork it would lose the process."""
    if threading.current_thread() is not threading.main_thread():
        yield  # Python interrupts the main thread only.
        return
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if came:
            signal.raise_signal(signal.SIGINT)
