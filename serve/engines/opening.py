"""A bundle's variant opened on the best provider that works here, and why on no better one."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from strop.errors import InputError, StropError
from strop.export.bundle import Bundle, Variant
from strop.export.providers import CUDA

from ..config import ServeConfig
from .backends import Backend
from .choice import candidates, choose
from .engine import Engine, Rest, no_rest, require_golden, warm_up
from .instances import Instances, distinct
from .memory import Estimate
from .options import EngineOptions
from .upgrade import Upgrade

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Opened:
    """A variant on engines that answer as they should."""

    variant: Variant
    engines: Sequence[Engine]
    """One for each instance."""
    batch_tokens: int
    passed_over: Mapping[str, str] = field(default_factory=dict)
    """Why a better provider, or the one that was asked for, isn't used, by its name."""
    upgrade: Callable[[Instances], Upgrade | None] = lambda instances: None
    """What prepares better engines while these serve as the instances."""


def open_engines(bundle: Bundle, config: ServeConfig, rest: Rest = no_rest) -> Opened:
    """Open the bundle's variant on the provider that was asked for or else on the next that works.

    Raises ``InputError`` for a variant or a provider that isn't there, ``StropError`` when the last
    one can't open it either, or answers out of tolerance.
    """
    passed_over: dict[str, str] = {}
    backends = candidates(bundle, config)
    for backend in backends:
        tokens = config.tokens_of_a_batch(backend.batch_tokens())
        try:
            variant = choose(bundle, backend, config.variant)
            engines = _open(bundle, variant, backend, config, tokens, rest)
            upgrade = partial(_upgrade, bundle, variant, backend, config, tokens)
            return Opened(variant, engines, tokens, passed_over, upgrade)
        except StropError as error:
            if backend is backends[-1]:
                raise
            passed_over[backend.name] = str(error)
            log.warning("passed over: %s", error, extra={"facts": {"provider": backend.name}})
    raise AssertionError("there is always the CPU")


def _open(
    bundle: Bundle, variant: Variant, backend: Backend, config: ServeConfig, tokens: int, rest: Rest
) -> Sequence[Engine]:
    if reason := backend.missing():
        raise InputError(f"--provider {backend.name} is not available, because {reason}")
    longest = bundle.manifest.max_tokens
    instances = backend.instances(config)
    estimate = backend.estimate(bundle.model_file(variant), tokens, longest, instances)
    estimate.require(config.memory_limit_bytes, backend.free())
    log.debug("opening", extra={"facts": {"provider": backend.name, "memory": str(estimate)}})
    engines = backend.open(bundle, variant, config, tokens)
    try:
        require_golden(engines[0], bundle, variant, tokens, rest)
    except StropError:
        for engine in distinct(engines):
            engine.close()
        raise
    return engines


def _upgrade(
    bundle: Bundle,
    variant: Variant,
    backend: Backend,
    config: EngineOptions,
    tokens: int,
    instances: Instances,
) -> Upgrade | None:
    """What puts the backend's own engines into the place of those that it opened, if they are others."""
    if backend.prepare is None:
        return None

    def prove(engine: Engine) -> None:
        # Warm first: what is proven is then what serves, every shape's graph beside all others.
        warm_up(engine, tokens, bundle.manifest.max_tokens)
        require_golden(engine, bundle, variant, tokens)

    def fit(estimate: Estimate) -> None:
        what = f"{backend.name} beside what serves until then"
        estimate.require(0, backend.free(), what)
        if instances.provider == CUDA:  # until the swap the model has both
            longest = bundle.manifest.max_tokens
            estimate += backend.estimate(bundle.model_file(variant), tokens, longest, len(instances))
        estimate.require(config.memory_limit_bytes, None, what)

    preparation = backend.prepare(bundle, variant, instances.layout, tokens, config)
    return Upgrade(instances, preparation, prove, fit)
