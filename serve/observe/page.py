"""The metrics port over HTTP, behind the same doors as the calls: /metrics and the console."""

import base64
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import WSGIApplication

from prometheus_client import CollectorRegistry, disable_created_metrics, make_wsgi_app

from ..address import in_use, join, split
from ..doors.certificates import Certificates
from ..doors.keys import SEND, KeyRing, Scope, presented_key
from ..doors.reloaded import Reloaded

# A reader that takes longer over a handshake, a request or the page is cut off.
PATIENCE_SECONDS = 10.0
ACCEPT_PAUSE_SECONDS = 0.1
# Readers at a time; Prometheus is one. Who comes beyond that is turned away.
READERS = 32
NAMES = "strop.certificate_names"
"""Where the names of a reader's certificate are in a request's environment."""

App = Callable[[dict[str, Any], Any], Iterable[bytes]]

Around = Callable[[WSGIApplication], WSGIApplication]
"""Makes a site of what answers for /metrics."""


class MetricsPage:
    """A registry's page on a port of its own, from its own threads."""

    def __init__(
        self,
        registry: CollectorRegistry,
        address: str,
        around: Around,
        certificates: Reloaded[Certificates] | None = None,
        keys: Reloaded[KeyRing] | None = None,
    ) -> None:
        """Listen on ``address`` with ``around``'s site; ``InputError`` when the port is taken.

        With ``certificates`` it speaks TLS, and with ``keys`` it is for those of scope metrics.
        """
        host, port = split(address)
        # When each series began is of no use here, and would be a good part of the page.
        disable_created_metrics()
        app: App = around(make_wsgi_app(registry))
        try:
            self._server = make_server(
                host, port, _locked(app, keys) if keys else app, _server(host, port, certificates), _Silent
            )
        except OSError as error:
            raise in_use("--metrics-address", address, error) from error
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()
        self.address = join(host, self._server.server_port)

    def close(self) -> None:
        """Stop listening and end the thread."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _locked(app: App, keys: Reloaded[KeyRing]) -> App:
    def locked(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        known = keys.get()
        secret = _secret(environ)
        key = known.by_secret(secret) if secret else known.by_certificate(environ.get(NAMES, ()))
        if key is None:
            # Basic, because a browser asks its user for a password, and for nothing else.
            start_response(
                "401 Unauthorized", [("WWW-Authenticate", 'Basic realm="strop", charset="UTF-8"')]
            )
            return [f"this page takes an API key; {SEND}, or as the password of any user\n".encode()]
        if Scope.METRICS not in key.scopes:
            start_response("403 Forbidden", [])
            return [b"this page takes an API key with scope metrics\n"]
        return app(environ, start_response)

    return locked


def _secret(environ: Mapping[str, Any]) -> str:
    """The API key in a request's headers: as gRPC takes it, or as the password of Basic (RFC 7617)."""
    kind, _, sent = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if kind.lower() == "basic":
        try:
            return base64.b64decode(sent, validate=True).decode().partition(":")[2]
        except ValueError:
            return ""
    headers = (("x-api-key", "HTTP_X_API_KEY"), ("authorization", "HTTP_AUTHORIZATION"))
    return presented_key((name, environ[variable]) for name, variable in headers if variable in environ)


class _Silent(WSGIRequestHandler):
    timeout = PATIENCE_SECONDS

    def get_environ(self) -> dict[str, Any]:
        """As the library makes it, with the names of the certificate."""
        environ: dict[str, Any] = super().get_environ()
        if isinstance(self.connection, ssl.SSLSocket):
            environ[NAMES] = _names(self.connection.getpeercert() or {})
        return environ

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the library names it
        """Say nothing of a request."""


def _names(certificate: Mapping[str, Any]) -> list[str]:
    """The common names and subject alternative names, as ``SSLSocket.getpeercert`` has them."""
    subject = [pair for names in certificate.get("subject", ()) for pair in names]
    common = [value for name, value in subject if name == "commonName"]
    return common + [value for _, value in certificate.get("subjectAltName", ())]


def _server(host: str, port: int, certificates: Reloaded[Certificates] | None) -> type[WSGIServer]:
    """What ``make_server`` makes, for an address and a lock."""
    slots = threading.BoundedSemaphore(READERS)

    class Server(ThreadingMixIn, WSGIServer):
        daemon_threads = True
        address_family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]

        def get_request(self) -> Any:
            """Accept a reader; without file descriptors left, not again at once and without end."""
            try:
                return super().get_request()
            except OSError:
                time.sleep(ACCEPT_PAUSE_SECONDS)
                raise

        def process_request(self, request: Any, client_address: Any) -> None:
            if slots.acquire(blocking=False):
                super().process_request(request, client_address)
            else:
                self.shutdown_request(request)

        def process_request_thread(self, request: Any, client_address: Any) -> None:
            try:
                super().process_request_thread(request, client_address)
            finally:
                slots.release()

        def finish_request(self, request: Any, client_address: Any) -> None:
            # Here, in the connection's own thread: whoever stalls a handshake holds up nobody else.
            request.settimeout(PATIENCE_SECONDS)
            if certificates is None:
                super().finish_request(request, client_address)
                return
            with certificates.get().context.wrap_socket(request, server_side=True) as secured:
                super().finish_request(secured, client_address)

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Say nothing of a reader that went away, was too slow, or spoke no TLS."""
            if not isinstance(sys.exception(), OSError):
                super().handle_error(request, client_address)

    return Server
