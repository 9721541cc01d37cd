"""What is written down of calls: an access log of all, if asked for, and an audit log of admin calls."""

import logging
from collections.abc import Mapping
from logging.handlers import WatchedFileHandler

import grpc
from grpc.aio import ServicerContext as Context

from strop.errors import InputError

from ..observe.log import JsonFormatter
from .gate import ADMIN
from .options import DoorOptions
from .visit import visit

# What a caller wrote is cut to this: a name may be as long as a message.
LONGEST_NAME = 128


class Journal:
    """Lines like all others of the log that hold no key, and a text only where that was asked for."""

    def __init__(self, options: DoorOptions) -> None:
        """``InputError`` for a file that can't be written."""
        self._access = _lines("--access-log", options.access_log) if options.access_log else None
        self._audit = _lines("--audit-log", options.audit_log)
        self._texts = options.log_texts

    def ended(
        self,
        service: str,
        method: str,
        request: object,
        context: Context,
        code: grpc.StatusCode,
        seconds: float,
    ) -> None:
        """Write down a call of this task."""
        admin = f"/{service}/{method}" in ADMIN
        if self._access is None and not admin:
            return
        here = visit.get()
        facts = {
            "service": service,
            "method": method,
            "key": here.key.id,
            "peer": context.peer(),
            "model": here.model or _named(request),
            "version": here.version,
            "code": code.name,
            "ms": round(1000 * seconds, 3),
        }
        if admin:
            _write(self._audit, "an admin call", facts)
        if self._access is not None:
            facts |= {"texts": here.inputs, "tokens": here.tokens}
            if self._texts and code is grpc.StatusCode.OK:
                facts["asked"] = list(here.texts)
            _write(self._access, "a call", facts)


def _named(request: object) -> str:
    """The model that a request names, whatever its field is called."""
    fields = ("model", "model_name", "name")
    return str(next(filter(None, (getattr(request, field, "") for field in fields)), ""))[:LONGEST_NAME]


def _lines(flag: str, place: str) -> logging.Handler:
    lines: logging.Handler = logging.StreamHandler()
    try:
        if place != "-":
            # Begun anew where logrotate has moved it; a line is one write: workers may share a file.
            lines = WatchedFileHandler(place, encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{flag} {place} can't be written: {error.strerror}; choose another place"
        ) from error
    lines.setFormatter(JsonFormatter())
    return lines


def _write(lines: logging.Handler, message: str, facts: Mapping[str, object]) -> None:
    # Past the loggers: how much --log-level lets through is no matter here.
    record = logging.makeLogRecord(
        {"name": __name__, "levelno": logging.INFO, "levelname": "INFO", "msg": message, "facts": facts}
    )
    lines.handle(record)
