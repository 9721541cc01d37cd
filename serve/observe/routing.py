"""What is told of routes: who gets which calls, and how versions compare."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from ..repository.key import Key
from .model_metrics import LABELS


class Routing:
    """The metrics, and the verbs that move them; called on the event loop."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._share = Gauge(
            "strop_route_share",
            "Share of the calls that name no version",
            LABELS,
            registry=registry,
            multiprocess_mode="livemin",
        )
        self._compared = Counter(
            "strop_shadow_texts", "Texts that the main version answered, too", LABELS, registry=registry
        )
        self._agreed = Counter(
            "strop_shadow_agreed", "Those of them that both answered alike", LABELS, registry=registry
        )
        self._rollbacks = Counter(
            "strop_rollbacks", "Versions that lost their share of the calls", LABELS, registry=registry
        )

    def share(self, key: Key, share: float) -> None:
        """A version gets this share of the calls from now on."""
        self._share.labels(*key).set(share)
        for counter in (self._compared, self._agreed, self._rollbacks):
            counter.labels(*key)  # shown as 0 from now on

    def compared(self, key: Key, agreement: float, texts: int) -> None:
        """A version and the main one answered so many texts, this share of them alike."""
        self._compared.labels(*key).inc(texts)
        self._agreed.labels(*key).inc(agreement * texts)

    def rolled_back(self, key: Key) -> None:
        """A version gets no more calls."""
        self._rollbacks.labels(*key).inc()
