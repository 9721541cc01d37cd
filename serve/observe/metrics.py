"""Every Prometheus metric of a serving process, in a registry of its own."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from ..core import Batch, Timings
from ..scheduling.queue import WorkQueue
from .statistics import Statistics

SECONDS = (*(step * 10.0**power for power in range(-4, 1) for step in (1, 1.5, 2, 3, 5, 7)), 10.0)
# Zero first: answers that came too late are told from those that were just in time.
SLACK = (0.0, *(step * 10.0**power for power in range(-3, 1) for step in (1, 2, 5)), 10.0)
TEXTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256)
TOKENS = (8, 16, 32, 48, 64, 96, 128, 160, 192, 256, 384, 512, 1024, 2048, 4096)
SHARES = tuple(step / 20 for step in range(1, 20))
STAGES = ("tokenise", "queue", "compute")
SHED_REASONS = ("queue_full", "deadline", "late", "cancelled", "draining")


class Metrics:
    """The metrics, and the verbs that move them; called on the event loop.

    They add up over worker processes: see ``process/supervisor.py``. That rules out ``Info``, and a
    gauge that is only computed when the page is read says nothing of another process; hence
    ``sample``.
    """

    def __init__(self, model: str, version: str, variant: str, provider: str, batch_tokens: int) -> None:
        self.registry = CollectorRegistry()
        self.statistics = Statistics()
        """The same in the terms of ModelStatistics; of this process alone."""
        self._batch_budget = batch_tokens
        self._requests = self._seconds(
            "request", "A whole call, from arrival to reply", "service", "method", "code"
        )
        self._ended: dict[tuple[str, str, str], Histogram] = {}
        stages = self._seconds("stage", "One stage of an answered call", "stage")
        self._stages = {stage: stages.labels(stage) for stage in STAGES}
        self._batch_texts = self._histogram("batch_texts", "Texts in a batch", TEXTS)
        self._batch_tokens = self._histogram("batch_tokens", "Tokens computed in a batch", TOKENS)
        self._batch_fill = self._histogram(
            "batch_fill", "The share of the token budget that a batch used", SHARES
        )
        self._padding = self._histogram(
            "batch_padding_share", "The part of a batch's tokens that is padding", SHARES
        )
        self._slack = self._histogram(
            "deadline_slack_seconds",
            "Time left to the caller's deadline when its answer was ready; 0 when there was none left",
            SLACK,
        )
        self._forecast_error = self._seconds(
            "forecast_error", "How far the predicted time of a batch was off, either way"
        )
        self._lag = self._seconds("event_loop_lag", "How late the event loop woke a timer")
        shed = Counter(
            "strop_shed", "Calls given up before they were computed", ["reason"], registry=self.registry
        )
        self._shed = {reason: shed.labels(reason) for reason in SHED_REASONS}
        self._texts = Counter("strop_texts", "Texts answered", registry=self.registry)
        self._in_flight = self._gauge("in_flight_requests", "Calls being handled")
        self._watched: list[tuple[Gauge, Callable[[], float]]] = []
        Gauge(
            "strop_model_info",
            "What is served, and on what",
            ["model", "version", "variant", "provider"],
            registry=self.registry,
            multiprocess_mode="livemax",
        ).labels(model, version, variant, provider).set(1)

    def watch_queue(self, queue: WorkQueue) -> None:
        """Report the depth of ``queue``: as it is when this registry is read, or at ``sample``."""
        self._watch("queue_texts", "Texts that wait for a batch", lambda: queue.texts)
        self._watch("queue_tokens", "Tokens that wait for a batch", lambda: queue.tokens)

    def began(self) -> None:
        """A call arrived."""
        self._in_flight.inc()

    def ended(self, service: str, method: str, code: str, seconds: float) -> None:
        """A call ended with a gRPC status."""
        self._in_flight.dec()
        labels = service, method, code
        # ``labels`` costs as much as ``observe``; there are only a few dozen children.
        if (requests := self._ended.get(labels)) is None:
            requests = self._ended[labels] = self._requests.labels(*labels)
        requests.observe(seconds)
        self.statistics.ended(method, code, seconds)

    def answered(self, texts: int, timings: Timings) -> None:
        """A call's texts were scored."""
        self._texts.inc(texts)
        for stage, histogram in self._stages.items():
            histogram.observe(getattr(timings, stage))
        self.statistics.answered(texts, timings)

    def slack(self, seconds: float) -> None:
        """A call with a deadline was answered with ``seconds`` left; below 0 it was too late."""
        # Clamped: a sum that falls would look to Prometheus like a restart.
        self._slack.observe(max(0.0, seconds))

    def computed(self, batch: Batch, seconds: float) -> None:
        """A batch was computed in ``seconds``."""
        self._batch_texts.observe(batch.texts)
        self._batch_tokens.observe(batch.tokens)
        self._batch_fill.observe(min(1.0, batch.tokens / self._batch_budget))
        self._padding.observe(batch.padding_share)
        self.statistics.computed(batch.texts, seconds)

    def forecast_error(self, seconds: float) -> None:
        """A batch took so much more or less than predicted."""
        self._forecast_error.observe(abs(seconds))

    def lagged(self, seconds: float) -> None:
        """The event loop woke a timer ``seconds`` late."""
        self._lag.observe(seconds)

    def shed(self, reason: str) -> None:
        """A call was given up before it was computed, for one of ``SHED_REASONS``."""
        self._shed[reason].inc()

    def sample(self) -> None:
        """Write down what is watched, for a page that another process shows."""
        for gauge, value in self._watched:
            gauge.set(value())

    def _watch(self, name: str, help_text: str, value: Callable[[], float]) -> None:
        gauge = self._gauge(name, help_text)
        gauge.set_function(value)
        self._watched.append((gauge, value))

    def _gauge(self, name: str, help_text: str) -> Gauge:
        return Gauge(f"strop_{name}", help_text, registry=self.registry, multiprocess_mode="livesum")

    def _seconds(self, name: str, help_text: str, *labels: str) -> Histogram:
        return self._histogram(f"{name}_seconds", help_text, SECONDS, *labels)

    def _histogram(self, name: str, help_text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"strop_{name}", help_text, labels, buckets=buckets, registry=self.registry)
