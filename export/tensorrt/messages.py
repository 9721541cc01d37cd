"""What TensorRT says while it works: its errors are kept, to be raised, and the rest is for debugging."""

import logging
from typing import Any

log = logging.getLogger(__name__)

KEPT = 16
"""Errors at most: the first ones are those that the others follow from."""


def messages_of(trt: Any) -> Any:
    """A logger for the module ``trt`` that can tell the ``reasons`` of a failure.

    TensorRT may call it on any of its threads.
    """

    class Messages(trt.ILogger):  # type: ignore[misc]  # the module is known when it runs
        def __init__(self) -> None:
            super().__init__()
            self._errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            log.debug("%s", message)
            failed = severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR)
            if failed and len(self._errors) < KEPT:
                self._errors.append(message)

        def reasons(self) -> str:
            """The errors since this was last asked, in a line."""
            said, self._errors = self._errors, []
            return "; ".join(said) or "it gave no reason"

    return Messages()
