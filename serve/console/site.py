"""The pages of the metrics port over WSGI: the console, what it loads, and /metrics."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from strop.errors import StropError
from strop.style import STYLE

from .console import Console

# Nothing but our own files, and in nobody's frame.
HEADERS = [
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:;"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cache-Control", "no-store"),
]
SCRIPTS = ("console.js", "charts.js", "numbers.js", "tables.js", "trial.js")
LONGEST_BODY = 65536
"""Bytes of a text that is tried, as JSON."""

Ask = Callable[[Mapping[str, str]], Mapping[str, Any]]
"""Answers what the box for a text sends; raises ``RefusedError``."""


class RefusedError(StropError):
    """A text can't be tried; says why, and how HTTP calls that."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Reply:
    """What is sent back."""

    body: bytes
    type: str
    status: str = "200 OK"
    allow: str = ""


class Site:
    """The WSGI application."""

    def __init__(self, console: Console, ask: Ask | None, metrics: WSGIApplication) -> None:
        """``metrics`` answers for /metrics; without ``ask`` there is no box to try a text in."""
        self._console = console
        self._metrics = metrics
        self._ask = ask
        self._files = {
            "/": Reply(_read("console.html"), "text/html; charset=utf-8"),
            "/console.css": Reply(STYLE.encode() + _read("console.css"), "text/css; charset=utf-8"),
            **{f"/{name}": Reply(_read(name), "text/javascript; charset=utf-8") for name in SCRIPTS},
        }

    def __call__(self, environment: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        if environment["PATH_INFO"] == "/metrics":
            return self._metrics(environment, start)
        reply = self._reply(environment)
        headers = [
            ("Content-Type", reply.type),
            ("Content-Length", str(len(reply.body))),
            *([("Allow", reply.allow)] if reply.allow else []),
            *HEADERS,
        ]
        start(reply.status, headers)
        return [] if environment["REQUEST_METHOD"] == "HEAD" else [reply.body]

    def _reply(self, environment: WSGIEnvironment) -> Reply:
        method, path = environment["REQUEST_METHOD"], environment["PATH_INFO"]
        if path == "/try" and self._ask is not None:
            return self._try(self._ask, environment) if method == "POST" else _not_allowed("POST")
        if path not in self._files and path != "/console.json":
            return _told("404 Not Found", "there are /, /console.json and /metrics")
        if method not in ("GET", "HEAD"):
            return _not_allowed("GET, HEAD")
        return self._files.get(path) or Reply(self._console.json(), "application/json")

    def _try(self, ask: Ask, environment: WSGIEnvironment) -> Reply:
        try:
            answer = ask(_asked(environment))
        except RefusedError as refusal:
            return _told(refusal.status, str(refusal))
        return Reply(json.dumps(answer).encode(), "application/json")


def _asked(environment: WSGIEnvironment) -> Mapping[str, str]:
    """The JSON object of a request; ``RefusedError`` when it is none, or another site's."""
    # Another site's page can't send this type without asking first, and is never told yes.
    if environment.get("CONTENT_TYPE", "").partition(";")[0].strip() != "application/json":
        raise RefusedError("415 Unsupported Media Type", "send application/json")
    size = environment.get("CONTENT_LENGTH", "")
    if not size.isascii() or not size.isdigit():
        raise RefusedError("411 Length Required", "send a Content-Length")
    if int(size) > LONGEST_BODY:
        raise RefusedError(
            "413 Content Too Large", f"the text is too long; send at most {LONGEST_BODY} bytes"
        )
    try:
        asked = json.loads(environment["wsgi.input"].read(int(size)))
    except (ValueError, RecursionError) as error:
        raise RefusedError("400 Bad Request", "the body is not JSON") from error
    if not isinstance(asked, dict) or not all(isinstance(value, str) for value in asked.values()):
        raise RefusedError("400 Bad Request", "send a JSON object of strings")
    return asked


def _read(name: str) -> bytes:
    return files(__package__).joinpath("assets", name).read_bytes()


def _told(status: str, message: str, allow: str = "") -> Reply:
    return Reply(json.dumps({"error": message}).encode(), "application/json", status, allow)


def _not_allowed(methods: str) -> Reply:
    return _told("405 Method Not Allowed", f"use {methods}", methods)
