"""What a process serves: the models loaded, kept up to date, and told of."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from strop.errors import InputError

from ..config import ServeConfig
from ..console.standing import Standing
from ..doors.journal import Journal
from ..feedback.counts import FeedbackCounts
from ..inference.model import Model
from ..observe.drift import watched
from ..observe.lag import sampled
from ..observe.loads import Loads
from ..observe.metrics import Metrics
from ..observe.routing import Routing
from ..repository.catalogue import Catalogue
from ..repository.controller import Controller
from ..repository.deployed import Answered, Deployed, deploy
from ..repository.finder import Finder, ModelControl
from ..repository.loader import Loader
from ..repository.rollbacks import Rollbacks
from ..repository.router import Router
from ..repository.source import source_of
from ..wire.calls import Calls, no_span
from ..wire.typed import TakeFeedback
from .announce import Served, ServedModel

if TYPE_CHECKING:
    from ..feedback.recorder import Recorder
    from ..observe.tracing import Tracing


@dataclass(frozen=True)
class Models:
    """What is served, who changes that, and the calls to it."""

    catalogue: Catalogue
    finder: Finder
    control: ModelControl
    calls: Calls
    take_feedback: TakeFeedback | None = None


@contextlib.asynccontextmanager
async def loaded(config: ServeConfig, metrics: Metrics, standing: Standing) -> AsyncIterator[Models]:
    """The models, loaded into ``standing``'s catalogue and kept up to date while the block runs."""
    async with (
        sampled(metrics),
        _tracing(config) as tracing,
        _recording(config, metrics) as recorder,
        watched(metrics.registry) as drift,
    ):
        hearing = (drift, tracing, recorder)
        answered: list[Answered] = [one.answered for one in hearing if one is not None]

        def deployed(model: Model) -> Deployed:
            return deploy(model, config, metrics.of(model.name, model.version), answered, router)

        catalogue = standing.catalogue
        router = Router(catalogue, Routing(metrics.registry), Rollbacks(config.routes))
        loads, loader = Loads(metrics.registry), Loader(config)
        controller = Controller(
            source_of(config.bundle), catalogue, loader, deployed, config, loads, router
        )
        try:
            await controller.start()
            calls = Calls(
                metrics,
                tracing.start_span if tracing else no_span,
                standing.failed,
                Journal(config).ended,
                config.stream_idle_seconds,
            )
            async with controller.polling(), router.watching():
                finder = Finder(catalogue, controller, router)
                yield Models(catalogue, finder, controller, calls, recorder.take if recorder else None)
        finally:
            await controller.close()


@contextlib.asynccontextmanager
async def _tracing(config: ServeConfig) -> "AsyncIterator[Tracing | None]":
    if config.otlp_endpoint is None:
        yield None
        return
    try:
        from ..observe.tracing import Tracing
    except ModuleNotFoundError as error:
        message = f"--otlp-endpoint needs the Python package {error.name!r}; pip install 'strop[otel]'"
        raise InputError(message) from error
    tracing = Tracing(config.otlp_endpoint)
    try:
        yield tracing
    finally:
        await asyncio.to_thread(tracing.close)


@contextlib.asynccontextmanager
async def _recording(config: ServeConfig, metrics: Metrics) -> "AsyncIterator[Recorder | None]":
    if config.feedback is None:
        yield None
        return
    # Not at the top: it needs an extra, strop[redact].
    from ..feedback.recorder import Recorder

    recorder = Recorder(config, FeedbackCounts(metrics.registry))
    try:
        yield recorder
    finally:
        await asyncio.to_thread(recorder.close)


def served(catalogue: Catalogue) -> Served:
    """What a process with these models can say of itself."""
    return Served(tuple(_served(one.model) for _, one in sorted(catalogue.deployed.items())))


def _served(model: Model) -> ServedModel:
    labels = model.labels if model.mask is None else (f"a word for {model.mask.name}",)
    return ServedModel(
        model.name,
        model.version,
        labels,
        model.variant,
        model.provider,
        len(model.instances),
        model.batch_tokens,
        model.passed_over,
    )
