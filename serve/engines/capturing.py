"""Who may use the GPU while a CUDA graph is captured: nobody else in this process.

ONNX Runtime captures in CUDA's global mode. Whatever another thread then asks of CUDA that may allocate
or wait, such as a copy, a first batch or the opening of another model, fails and spoils the capture
(CUDA Runtime API, ``cudaThreadExchangeStreamCaptureMode``).
"""

import contextlib
import threading
from collections.abc import Iterator


class Sharing:
    """Lets many in at once, or one alone, who goes before those that come later. Not to be nested."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self.closed = False
        """Whether someone is alone, or waits for the last ones to leave: nobody else gets in."""

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Beside others, but beside none who is alone."""
        with self._changed:
            self._changed.wait_for(lambda: not self.closed)
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Once all who are inside have left; who comes meanwhile waits."""
        with self._changed:
            self._changed.wait_for(lambda: not self.closed)
            self.closed = True
            self._changed.wait_for(lambda: not self._inside)
        try:
            yield
        finally:
            with self._changed:
                self.closed = False
                self._changed.notify_all()


GPU = Sharing()
"""Of this process: a capture is alone on it, all else together."""
