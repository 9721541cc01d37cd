"""A version of a model that answers calls, until it is retired."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Protocol

from ..config import ServeConfig
from ..core import Answer, Query
from ..inference.model import Model
from ..inference.pipeline import Pipeline
from ..observe.model_metrics import ModelMetrics
from ..scheduling.batcher import Batcher
from ..scheduling.draft import Limits
from ..scheduling.forecast import Forecast
from ..scheduling.queue import WorkQueue
from .key import Key

Answered = Callable[[Model, Query, Answer], None]
"""Hears of every answer of a model, in the task of its call."""


class Answers(Protocol):
    """What computes an answer: a ``Pipeline``, or a fake in a test."""

    queue: WorkQueue
    """What waits."""

    async def answer(self, query: Query) -> Answer:
        """Score the query's texts in time; raises a ``RequestError`` that says why it won't."""
        ...

    def close(self) -> None:
        """Finish what is queued and end the threads; blocks until they have ended."""
        ...


class Observer(Protocol):
    """Who hears how calls went: a ``Router``."""

    def ended(self, deployed: "Deployed", seconds: float, error: BaseException | None) -> None:
        """A call to a version ended, well or with ``error``."""
        ...

    def answered(self, deployed: "Deployed", query: Query, answer: Answer) -> None:
        """A version answered a query."""
        ...


class Deployed:
    """A model with the pipeline that answers for it, and the calls that it is in the middle of."""

    def __init__(
        self,
        model: Model,
        pipeline: Answers,
        metrics: ModelMetrics,
        observer: Observer | None = None,
    ) -> None:
        self.key = Key(model.name, model.version)
        self.model = model
        self.metrics = metrics
        self.used = time.monotonic()
        """When it was last asked."""
        self._pipeline = pipeline
        self._observer = observer
        self._in_flight = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @contextlib.contextmanager
    def call(self) -> Iterator[None]:
        """Count a call to it while the block runs, and tell how it went."""
        self.used = started = time.monotonic()
        error: BaseException | None = None
        try:
            with self.held():
                yield
        except BaseException as raised:
            error = raised
            self.metrics.failed(time.monotonic() - started)
            raise
        finally:
            if self._observer is not None:
                self._observer.ended(self, time.monotonic() - started, error)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keep it from being retired while the block runs."""
        self._in_flight += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._in_flight -= 1
            if not self._in_flight:
                self._idle.set()

    async def answer(self, query: Query, *, seen: bool = True) -> Answer:
        """Score the query's texts in time; raises a ``RequestError`` that says why it won't.

        What is not ``seen`` by a caller is not told to the observer.
        """
        answer = await self._pipeline.answer(query)
        if seen and self._observer is not None:
            self._observer.answered(self, query, answer)
        return answer

    async def stop_upgrade(self) -> None:
        """Give up better engines that are still being prepared for it."""
        if self.model.upgrade is not None:
            await asyncio.to_thread(self.model.upgrade.stop)

    async def retire(self) -> None:
        """Finish the calls to it, end its threads and give its memory back.

        No call may find it any more.
        """
        await self.stop_upgrade()
        await self._idle.wait()
        await asyncio.to_thread(self._pipeline.close)
        self.metrics.gone(self._pipeline.queue)
        # Not on the event loop: giving back hundreds of megabytes takes a while.
        await asyncio.to_thread(self.model.instances.close)


def deploy(
    model: Model,
    config: ServeConfig,
    metrics: ModelMetrics,
    answered: Sequence[Answered] = (),
    observer: Observer | None = None,
) -> Deployed:
    """Start to answer for a model; must be called on the running event loop."""
    limits = Limits(
        model.batch_tokens,
        config.queue_texts,
        config.queue_tokens,
        config.most_texts,
        config.max_padding,
    )
    forecast = Forecast(len(model.instances), model.measured)
    batcher = Batcher(limits, forecast, model.layout.computed)
    pipeline = Pipeline(
        model.encoder,
        model.instances,
        batcher,
        metrics,
        answered=[partial(hear, model) for hear in answered],
        nice=config.nice,
        mask=model.mask,
    )
    metrics.served(model.variant, model.provider, pipeline.queue, model.batch_tokens)
    metrics.passed_over(len(model.passed_over))
    if model.upgrade is not None:
        model.upgrade.start(metrics.engines)
    return Deployed(model, pipeline, metrics, observer)
