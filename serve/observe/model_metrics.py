"""The Prometheus metrics of one version of a model."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from ..core import Batch, Timings
from ..scheduling.queue import WorkQueue
from .engine_metrics import EngineFamilies, EngineMetrics
from .statistics import Statistics

SECONDS = (*(step * 10.0**power for power in range(-4, 1) for step in (1, 1.5, 2, 3, 5, 7)), 10.0)
# Zero first: answers that came too late are told from those that were just in time.
SLACK = (0.0, *(step * 10.0**power for power in range(-3, 1) for step in (1, 2, 5)), 10.0)
TEXTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256)
TOKENS = (8, 16, 32, 48, 64, 96, 128, 160, 192, 256, 384, 512, 1024, 2048, 4096)
SHARES = tuple(step / 20 for step in range(1, 20))
STAGES = ("tokenise", "queue", "compute")
LABELS = ("model", "version")


class ModelFamilies:
    """What is told of every version of every model, each under its own labels."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self.stages = self._histogram("stage_seconds", "One stage of an answered call", SECONDS, "stage")
        self.batch_texts = self._histogram("batch_texts", "Texts in a batch", TEXTS)
        self.batch_tokens = self._histogram("batch_tokens", "Tokens computed in a batch", TOKENS)
        self.batch_fill = self._histogram(
            "batch_fill", "The share of the token budget that a batch used", SHARES
        )
        self.padding = self._histogram(
            "batch_padding_share", "The part of a batch's tokens that is padding", SHARES
        )
        self.slack = self._histogram(
            "deadline_slack_seconds",
            "Time left to the caller's deadline when its answer was ready; 0 when there was none left",
            SLACK,
        )
        self.forecast_error = self._histogram(
            "forecast_error_seconds", "How far the predicted time of a batch was off, either way", SECONDS
        )
        self.texts = Counter("strop_texts", "Texts answered", LABELS, registry=registry)
        self.failures = Counter(
            "strop_failures", "Calls to a model that ended without an answer", LABELS, registry=registry
        )
        self.queue_texts = self._gauge("queue_texts", "Texts that wait for a batch")
        self.queue_tokens = self._gauge("queue_tokens", "Tokens that wait for a batch")
        self.engines = EngineFamilies(registry)
        self.info = Gauge(
            "strop_model_info",
            "1 for what is served, and on what; 0 for what was",
            [*LABELS, "variant", "provider"],
            registry=registry,
            multiprocess_mode="livemax",
        )
        self.passed_over = Gauge(
            "strop_providers_passed_over",
            "Providers that were to serve a version and can't: log and metadata say which, and why",
            LABELS,
            registry=registry,
            multiprocess_mode="livemax",
        )

    def _gauge(self, name: str, help_text: str) -> Gauge:
        return Gauge(
            f"strop_{name}", help_text, LABELS, registry=self._registry, multiprocess_mode="livesum"
        )

    def _histogram(self, name: str, help_text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(
            f"strop_{name}", help_text, [*LABELS, *labels], buckets=buckets, registry=self._registry
        )


class ModelMetrics:
    """The verbs that move them for one version; called on the event loop."""

    def __init__(
        self, families: ModelFamilies, model: str, version: str, shed: Callable[[str], None]
    ) -> None:
        """``shed`` counts a call that was given up before it was computed, by its reason."""
        self.statistics = Statistics()
        """The same in the terms of ModelStatistics; of this process alone."""
        self.shed = shed
        of = {"model": model, "version": version}
        self._of = of
        self._info = families.info
        self._passed_over = families.passed_over.labels(**of)
        self.engines = EngineMetrics(
            families.engines, model, version, self._upgraded, self._passed_over.inc
        )
        """How better engines are prepared for it."""
        self._stages = {stage: families.stages.labels(**of, stage=stage) for stage in STAGES}
        self._batch_texts = families.batch_texts.labels(**of)
        self._batch_tokens = families.batch_tokens.labels(**of)
        self._batch_fill = families.batch_fill.labels(**of)
        self._padding = families.padding.labels(**of)
        self._slack = families.slack.labels(**of)
        self._forecast_error = families.forecast_error.labels(**of)
        self._texts = families.texts.labels(**of)
        self._failures = families.failures.labels(**of)
        self._queue_texts = families.queue_texts.labels(**of)
        self._queue_tokens = families.queue_tokens.labels(**of)
        self._queue: WorkQueue | None = None
        self._batch_budget = 1
        self._served: dict[str, str] = {}

    def served(self, variant: str, provider: str, queue: WorkQueue, batch_tokens: int) -> None:
        """Tell that the version is served so from now on, what waits for it, and its token budget."""
        self._queue = queue
        self._batch_budget = batch_tokens
        # As it is when the registry is read; in another process' page, as ``sample`` wrote it down.
        self._queue_texts.set_function(lambda: queue.texts)
        self._queue_tokens.set_function(lambda: queue.tokens)
        self.runs_on(variant, provider)

    def runs_on(self, variant: str, provider: str) -> None:
        """Tell what computes it from now on."""
        self._tell(0)
        self._served = {"variant": variant, "provider": provider}
        self._tell(1)

    def passed_over(self, providers: int) -> None:
        """Tell how many providers were to serve the version, and can't."""
        self._passed_over.set(providers)

    def gone(self, queue: WorkQueue) -> None:
        """Tell that ``queue`` is no longer served; nothing if another one has taken its place."""
        if self._queue is queue:
            self._queue = None
            self._queue_texts.set_function(lambda: 0)
            self._queue_tokens.set_function(lambda: 0)
            self._tell(0)
            self._served = {}

    def sample(self) -> None:
        """Write down what waits, for a page that another process shows."""
        self._queue_texts.set(self._queue.texts if self._queue else 0)
        self._queue_tokens.set(self._queue.tokens if self._queue else 0)

    def answered(self, texts: int, timings: Timings) -> None:
        """A call's texts were scored."""
        self._texts.inc(texts)
        for stage, histogram in self._stages.items():
            histogram.observe(getattr(timings, stage))
        self.statistics.answered(texts, timings)

    def failed(self, seconds: float) -> None:
        """A call to it ended without an answer."""
        self._failures.inc()
        self.statistics.failed(seconds)

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

    def _upgraded(self, provider: str) -> None:
        self.runs_on(self._served["variant"], provider)

    def _tell(self, served: int) -> None:
        if self._served:
            self._info.labels(**self._of, **self._served).set(served)
