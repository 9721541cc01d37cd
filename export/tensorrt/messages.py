"""What TensorRT says while it works: its errors are kept, to be raised, and the rest is for debugging."""

import logging
from typing import Any

log = logging.getLogger(__name__)


def messages_of(trt: Any) -> Any:
    """A logger for the module ``trt`` whose ``errors`` are the messages of errors so far."""

    class Messages(trt.ILogger):  # type: ignore[misc]  # the module is known when it runs
        def __init__(self) -> None:
            super().__init__()
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            log.debug("%s", message)
            if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
                self.errors.append(message)

    return Messages()
