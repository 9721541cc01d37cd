"""The metrics page over HTTP."""

import threading
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, disable_created_metrics, start_http_server

from ..address import in_use, join, split


class MetricsPage:
    """A registry's page on a port of its own, from its own threads."""

    def __init__(self, registry: CollectorRegistry, address: str) -> None:
        """Listen on ``address``; ``InputError`` when the port is taken."""
        host, port = split(address)
        # When each series began is of no use here, and would be a good part of the page.
        disable_created_metrics()
        self._server: WSGIServer
        self._thread: threading.Thread
        try:
            self._server, self._thread = start_http_server(port, host, registry)
        except OSError as error:
            raise in_use("--metrics-address", address, error) from error
        self.address = join(host, self._server.server_port)

    def close(self) -> None:
        """Stop listening and end the thread."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
