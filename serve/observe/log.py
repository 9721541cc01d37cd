"""Structured logging: one JSON object a line on standard error."""

import json
import logging
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime

Facts = Mapping[str, str | int | float]

about: ContextVar[Callable[[], Facts]] = ContextVar("about", default=dict)
"""Tells which call is being handled; asked only when a line is written, so that it costs nothing."""

_process: dict[str, str | int | float] = {}
"""What every line tells of this process."""


class JsonFormatter(logging.Formatter):
    """``time``, ``level``, ``logger``, ``message``, facts, ``traceback``.

    The facts are those of the process, of the call that is handled, and those in ``extra``.
    """

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_process,
            **about.get()(),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def configure(level: str, **process: str | int | float) -> None:
    """Send every logger's records of ``level`` and above to standard error.

    ``process`` are facts that every line tells, a ``JsonFormatter``'s elsewhere, too.
    """
    _process.clear()
    _process.update(process)
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
