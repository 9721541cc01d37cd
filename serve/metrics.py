"""Every Prometheus metric of the server, in a registry of its own."""

import threading
from collections.abc import Callable
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, start_http_server

from .address import in_use, split
from .core import Batch, Timings
from .queue import WorkQueue

SECONDS = tuple(step * 10.0**power for power in range(-4, 1) for step in (1, 1.5, 2, 3, 5, 7))
TEXTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256)
TOKENS = (8, 16, 32, 48, 64, 96, 128, 160, 192, 256, 384, 512, 1024, 2048, 4096)
SHARES = tuple(step / 20 for step in range(1, 20))
STAGES = ("tokenise", "queue", "compute")
SHED_REASONS = ("queue_full", "deadline", "cancelled", "draining")


class Metrics:
    """The metrics, and the verbs that move them; called on the event loop."""

    def __init__(self, model: str, version: str, variant: str, provider: str) -> None:
        self.registry = CollectorRegistry()
        self._requests = Histogram(
            "strop_request_seconds",
            "A whole call, from arrival to reply",
            ["service", "method", "code"],
            buckets=(*SECONDS, 10.0),
            registry=self.registry,
        )
        stages = Histogram(
            "strop_stage_seconds",
            "One stage of an answered call",
            ["stage"],
            buckets=(*SECONDS, 10.0),
            registry=self.registry,
        )
        self._stages = {stage: stages.labels(stage) for stage in STAGES}
        self._batch_texts = self._batch_histogram("texts", "Texts in a batch", TEXTS)
        self._batch_tokens = self._batch_histogram("tokens", "Tokens computed in a batch", TOKENS)
        self._padding = self._batch_histogram(
            "padding_share", "The part of a batch's tokens that is padding", SHARES
        )
        shed = self._counter("strop_shed", "Calls given up before they were computed", ["reason"])
        self._shed = {reason: shed.labels(reason) for reason in SHED_REASONS}
        self._texts = self._counter("strop_texts", "Texts answered", [])
        self._in_flight = Gauge("strop_in_flight_requests", "Calls being handled", registry=self.registry)
        info = Info("strop_model", "What is served, and on what", registry=self.registry)
        info.info({"model": model, "version": version, "variant": variant, "provider": provider})

    def watch_queue(self, queue: WorkQueue) -> None:
        """Report the depth of ``queue`` whenever the page is read."""
        self._gauge("strop_queue_texts", "Texts that wait for a batch", lambda: queue.texts)
        self._gauge("strop_queue_tokens", "Tokens that wait for a batch", lambda: queue.tokens)

    def began(self) -> None:
        """A call arrived."""
        self._in_flight.inc()

    def ended(self, service: str, method: str, code: str, seconds: float) -> None:
        """A call ended with a gRPC status."""
        self._in_flight.dec()
        self._requests.labels(service, method, code).observe(seconds)

    def answered(self, texts: int, timings: Timings) -> None:
        """A call's texts were scored."""
        self._texts.inc(texts)
        for stage, histogram in self._stages.items():
            histogram.observe(getattr(timings, stage))

    def computed(self, batch: Batch) -> None:
        """A batch was computed."""
        self._batch_texts.observe(batch.texts)
        self._batch_tokens.observe(batch.tokens)
        self._padding.observe(batch.padding_share)

    def shed(self, reason: str) -> None:
        """A call was given up before it was computed, for one of ``SHED_REASONS``."""
        self._shed[reason].inc()

    def _batch_histogram(self, name: str, help_text: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"strop_batch_{name}", help_text, buckets=buckets, registry=self.registry)

    def _counter(self, name: str, help_text: str, labels: list[str]) -> Counter:
        return Counter(name, help_text, labels, registry=self.registry)

    def _gauge(self, name: str, help_text: str, value: Callable[[], float]) -> None:
        Gauge(name, help_text, registry=self.registry).set_function(value)


class MetricsServer:
    """The page over HTTP on a port of its own, from its own threads."""

    def __init__(self, registry: CollectorRegistry, address: str) -> None:
        """Listen on ``address``; ``InputError`` when the port is taken."""
        host, port = split(address)
        self._server: WSGIServer
        self._thread: threading.Thread
        try:
            self._server, self._thread = start_http_server(port, host, registry)
        except OSError as error:
            raise in_use("--metrics-address", address, error) from error
        self.address = f"{host}:{self._server.server_port}"

    def close(self) -> None:
        """Stop listening and end the thread."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
