"""Which provider serves a bundle: the best that works here, and why no better one does."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from strop.errors import InputError, StropError
from strop.export import tensorrt
from strop.export.bundle import BATCH_TOKENS, Bundle, Layout, Variant
from strop.export.bundle.probe import gpu_seen, missing, probe
from strop.export.providers import CPU, CUDA, TENSORRT, TORCH

from ..config import ServeConfig
from . import cuda, program
from .engine import Engine, Rest, no_rest, require_golden, warm_up
from .instances import Instances, distinct
from .memory import Estimate, FreeMemory, free_on_gpu, free_on_host
from .onnx import open_on_cpu
from .options import EngineOptions
from .preparation import TensorRTPreparation, open_meanwhile
from .upgrade import Preparation, Upgrade

log = logging.getLogger(__name__)

Open = Callable[[Bundle, Variant, EngineOptions, int], Sequence[Engine]]
"""Opens an engine for each instance, for batches of so many tokens; they may be the same one."""
Prepare = Callable[[Bundle, Variant, Layout, int, EngineOptions], Preparation]
"""How to have better engines of the layout of those that serve, for batches of so many tokens."""


@dataclass(frozen=True)
class Backend:
    """A way to compute, by its name in ``--provider``."""

    name: str
    made_for: tuple[str, ...]
    """The providers by which a manifest marks the variants that were made for it, the best first."""
    batch_tokens: Callable[[], int]
    """Tokens in a batch at most, unless the user says otherwise."""
    instances: Callable[[EngineOptions], int]
    seen: Callable[[], bool]
    """Whether the machine has what it runs on: without, ``auto`` doesn't miss it."""
    missing: Callable[[], str | None]
    """Why it can't be had here, and what to install; None if it can."""
    estimate: Callable[..., Estimate]
    free: FreeMemory
    open: Open
    prepare: Prepare | None = None
    """What makes the engines that it is named after, while those that it opens serve."""
    automatic: bool = True
    """Whether ``--provider auto`` tries it: a build that may take minutes is asked for by name."""


def _cuda_missing() -> str | None:
    reason = missing(CUDA)
    if reason is None:
        log.info("CUDA works", extra={"facts": {"versions": str(probe().versions)}})
    return reason


def _tensorrt_missing() -> str | None:
    reason = tensorrt.missing()
    if reason is None:
        found = tensorrt.find()
        log.info("TensorRT works", extra={"facts": {"versions": f"{found.library} on {found.card}"}})
    return reason


BACKENDS: dict[str, Backend] = {
    backend.name: backend
    for backend in (
        Backend(
            name="tensorrt",
            made_for=(TENSORRT, CUDA),
            batch_tokens=lambda: cuda.BATCH_TOKENS,
            instances=lambda options: options.instances or cuda.INSTANCES,
            seen=gpu_seen,
            missing=_tensorrt_missing,
            estimate=Estimate.on_gpu,
            free=free_on_gpu,
            open=open_meanwhile,
            prepare=TensorRTPreparation,
            automatic=False,
        ),
        Backend(
            name="cuda",
            made_for=(CUDA,),
            batch_tokens=lambda: cuda.BATCH_TOKENS,
            instances=lambda options: options.instances or cuda.INSTANCES,
            seen=gpu_seen,
            missing=_cuda_missing,
            estimate=Estimate.on_gpu,
            free=free_on_gpu,
            open=cuda.open_on_cuda,
        ),
        Backend(
            name="torch",
            made_for=(TORCH,),
            batch_tokens=program.usual_tokens,
            instances=program.instances,
            seen=lambda: True,
            missing=program.no_torch,
            estimate=program.estimate,
            free=program.free,
            open=program.open_program,
            automatic=False,
        ),
        Backend(
            name="cpu",
            made_for=(CPU,),
            batch_tokens=lambda: BATCH_TOKENS,
            instances=lambda options: options.instance_count,
            seen=lambda: True,
            missing=lambda: None,
            estimate=Estimate.on_host,
            free=free_on_host,
            open=open_on_cpu,
        ),
    )
}
"""In the order in which they stand in for each other."""


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
    candidates = _candidates(bundle, config)
    for backend in candidates:
        tokens = config.tokens_of_a_batch(backend.batch_tokens())
        try:
            variant = choose(bundle, backend, config.variant)
            engines = _open(bundle, variant, backend, config, tokens, rest)
            upgrade = partial(_upgrade, bundle, variant, backend, config, tokens)
            return Opened(variant, engines, tokens, passed_over, upgrade)
        except StropError as error:
            if backend is candidates[-1]:
                raise
            passed_over[backend.name] = str(error)
            log.warning("passed over: %s", error, extra={"facts": {"provider": backend.name}})
    raise AssertionError("there is always the CPU")


def choose(bundle: Bundle, backend: Backend, name: str | None) -> Variant:
    """The variant of that name or, without one, the backend's own default.

    On a CPU that is the manifest's; elsewhere the quickest that was made for it, by the times that were
    measured at export and that isn't made for a newer card, or else fp32, which runs anywhere but in
    torch. ``InputError`` for a graph that torch was to run, or a program of torch's that it was not.
    """
    variant = bundle.variant(name)
    if name is None and backend is not BACKENDS["cpu"]:
        variant = _default(bundle, backend)
    if variant.provider == TORCH and backend is not BACKENDS["torch"]:
        raise InputError(
            f"variant {variant.name!r} is a program of torch's own, which --provider {backend.name} can't"
            " run; give --provider torch or auto"
        )
    if backend is BACKENDS["torch"] and variant.provider != TORCH:
        raise InputError(
            f"variant {variant.name!r} is an ONNX graph, which --provider torch can't run; leave that out,"
            " or export a program with strop export --recipes torch"
        )
    return variant


def _default(bundle: Bundle, backend: Backend) -> Variant:
    for provider in backend.made_for:
        made = [
            variant
            for variant in bundle.manifest.variants
            if variant.provider == provider and tensorrt.unfit_here(variant.facts) is None
        ]
        if made:
            return max(made, key=lambda variant: variant.tokens_per_second)
    return bundle.reference


def _candidates(bundle: Bundle, config: ServeConfig) -> list[Backend]:
    """The backends to try in turn: the CPU is last unless another is required."""
    last = BACKENDS["cpu"]
    if config.provider != "auto":
        names = list(BACKENDS)
        asked, *others = (BACKENDS[name] for name in names[names.index(config.provider) :])
        stand_in = [] if config.require_provider else [one for one in others if one.automatic]
        return [asked, *stand_in]
    if bundle.variant(config.variant).provider == TORCH:
        return [BACKENDS["torch"]]
    named = bundle.variant(config.variant) if config.variant is not None else None
    return [
        backend
        for backend in BACKENDS.values()
        if backend is last
        or (
            backend.automatic
            and backend.seen()
            and (named in (None, bundle.reference) or named.provider in backend.made_for)
        )
    ]


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
