"""What is told of loading models."""

from prometheus_client import CollectorRegistry, Counter, Histogram

from ..repository.key import Key
from .model_metrics import LABELS

SECONDS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200)


class Loads:
    """The metrics, and the verbs that move them; called on the event loop."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "strop_model_load_seconds",
            "From the decision to load a version until calls went to it",
            LABELS,
            buckets=SECONDS,
            registry=registry,
        )
        self._failures = Counter(
            "strop_model_load_failures", "Versions that stayed out", LABELS, registry=registry
        )

    def loaded(self, key: Key, seconds: float) -> None:
        """A version answers from now on."""
        self._seconds.labels(*key).observe(seconds)
        self._failures.labels(*key)  # shown as 0 from now on

    def failed(self, key: Key) -> None:
        """A version stays out; the log and the index say why."""
        self._failures.labels(*key).inc()
