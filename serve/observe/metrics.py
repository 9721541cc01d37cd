"""Every Prometheus metric of a serving process, in a registry of its own."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from .model_metrics import SECONDS, ModelFamilies, ModelMetrics

SHED_REASONS = ("queue_full", "deadline", "late", "cancelled", "draining", "quota")


class Metrics:
    """The metrics, and the verbs that move them; called on the event loop.

    They add up over worker processes: see ``process/supervisor.py``. That rules out ``Info``, and a
    gauge that is only computed when the page is read says nothing of another process; hence
    ``sample``.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._families = ModelFamilies(self.registry)
        self._models: dict[tuple[str, str], ModelMetrics] = {}
        self._requests = Histogram(
            "strop_request_seconds",
            "A whole call, from arrival to reply",
            ["service", "method", "code"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._ended: dict[tuple[str, str, str], Histogram] = {}
        self._lag = Histogram(
            "strop_event_loop_lag_seconds",
            "How late the event loop woke a timer",
            buckets=SECONDS,
            registry=self.registry,
        )
        shed = Counter(
            "strop_shed", "Calls given up before they were computed", ["reason"], registry=self.registry
        )
        self._shed = {reason: shed.labels(reason) for reason in SHED_REASONS}
        self._in_flight = Gauge(
            "strop_in_flight_requests",
            "Calls being handled",
            registry=self.registry,
            multiprocess_mode="livesum",
        )

    def of(self, model: str, version: str) -> ModelMetrics:
        """Those of one version of a model; the same for as long as the process lives."""
        if (found := self._models.get((model, version))) is None:
            found = ModelMetrics(self._families, model, version, self.shed)
            self._models[model, version] = found
        return found

    @property
    def texts(self) -> int:
        """Texts that all models answered."""
        return sum(one.statistics.texts for one in self._models.values())

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

    def lagged(self, seconds: float) -> None:
        """The event loop woke a timer ``seconds`` late."""
        self._lag.observe(seconds)

    def shed(self, reason: str) -> None:
        """A call was given up before it was computed, for one of ``SHED_REASONS``."""
        self._shed[reason].inc()

    def sample(self) -> None:
        """Write down what is watched, for a page that another process shows."""
        for model in self._models.values():
            model.sample()
