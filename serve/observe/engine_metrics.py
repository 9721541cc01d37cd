"""What is told of better engines that are prepared while others serve."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

LABELS = ("model", "version")
STOPPED = "stopped"
"""Given up with the model, whose engines are then no one's second choice."""
OUTCOMES = (
    ("upgraded", "built"),
    ("upgraded", "cached"),
    *(("kept", reason) for reason in ("prepare", "open", "prove", STOPPED)),
)
"""What can come of a preparation: how better engines were had, or which step failed."""
SECONDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)


class EngineFamilies:
    """Of every version of every model, each under its own labels."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.progress = Gauge(
            "strop_engine_build_progress",
            "The part of an engine's preparation that is done; 1 where there is none",
            LABELS,
            registry=registry,
            multiprocess_mode="livemin",
        )
        self.seconds = Histogram(
            "strop_engine_build_seconds",
            "From the start of an engine's preparation until it served, or did not",
            LABELS,
            buckets=SECONDS,
            registry=registry,
        )
        self.results = Counter(
            "strop_engine_builds",
            "Preparations of better engines by what came of them, and how or why",
            [*LABELS, "result", "reason"],
            registry=registry,
        )


class EngineMetrics:
    """The verbs that move them for one version; a ``Watcher``, called on any thread."""

    def __init__(
        self,
        families: EngineFamilies,
        model: str,
        version: str,
        runs_on: Callable[[str], None],
        passed_over: Callable[[], None],
    ) -> None:
        """``runs_on`` hears what computes from now on, ``passed_over`` that better engines never will."""
        self._of = {"model": model, "version": version}
        self._families = families
        self._runs_on = runs_on
        self._passed_over = passed_over
        self.progressed(1.0)
        families.seconds.labels(**self._of)
        for result, reason in OUTCOMES:  # shown as 0 from now on
            families.results.labels(**self._of, result=result, reason=reason)

    def progressed(self, part: float) -> None:
        """So much of the preparation is done, from 0 to 1."""
        self._families.progress.labels(**self._of).set(part)

    def ended(self, provider: str, reason: str, seconds: float, *, upgraded: bool) -> None:
        """What serves from now on, how or why, after so long."""
        result = "upgraded" if upgraded else "kept"
        self._families.seconds.labels(**self._of).observe(seconds)
        self._families.results.labels(**self._of, result=result, reason=reason).inc()
        if upgraded:
            self.progressed(1.0)
            self._runs_on(provider)
        elif reason != STOPPED:
            self._passed_over()
