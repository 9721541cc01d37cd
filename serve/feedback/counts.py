"""How much was kept of calls, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter


class FeedbackCounts:
    """Counts that add up over worker processes."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._kept = Counter("strop_feedback_sampled", "Texts kept as samples", registry=registry)
        self._dropped = Counter(
            "strop_feedback_dropped", "Answers not kept: too many at once, or no room", registry=registry
        )
        self._received = Counter(
            "strop_feedback_received", "Answers on which callers gave feedback", registry=registry
        )

    def kept(self, texts: int) -> None:
        """Texts are in the store."""
        self._kept.inc(texts)

    def dropped(self, answers: int) -> None:
        """Answers won't be in the store."""
        self._dropped.inc(answers)

    def received(self) -> None:
        """A caller said something of an answer."""
        self._received.inc()
