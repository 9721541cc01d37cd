"""Which variant of a bundle is served, and on which of the ways to compute it."""

from collections.abc import Sequence
from contextlib import suppress

from strop.errors import InputError
from strop.export import tensorrt
from strop.export.bundle import Bundle, Variant
from strop.export.providers import TORCH

from ..config import ServeConfig
from .backends import BACKENDS, Backend

ALIKE = 1.01
"""Times the smallest file's size: what is smaller holds as many weights of the same width, and a few
nodes more or less decide nothing."""


def candidates(bundle: Bundle, config: ServeConfig) -> list[Backend]:
    """The backends to try in turn: the CPU is last unless another is required.

    Raises ``InputError`` for a variant that isn't there.
    """
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


def choose(bundle: Bundle, backend: Backend, name: str | None) -> Variant:
    """The variant of that name or, without one, the backend's own default.

    With ONNX Runtime on a CPU that is the manifest's. Elsewhere it is one that was made for the backend
    and not for a newer card, or else fp32, which runs anywhere but in torch. Of several it is on a CPU
    the quickest by the times that were measured at export. Those say nothing of a GPU, which they were
    not measured on: there it is the one of the smallest file, as fewer or narrower weights are less to
    read and to multiply, of files about as large the first in the manifest, and never a 2:4 sparse one.

    ``InputError`` for a graph that torch was to run, or a program of torch's that it was not.
    """
    variant = bundle.variant(name)
    if name is None and backend is not BACKENDS["cpu"]:
        variant = _default(bundle, backend)
    program, programs = variant.provider == TORCH, TORCH in backend.made_for
    if program and not programs:
        raise InputError(
            f"variant {variant.name!r} is a program of torch's own, which --provider {backend.name} can't"
            " run; give --provider torch or auto"
        )
    if programs and not program:
        raise InputError(
            f"variant {variant.name!r} is an ONNX graph, which --provider torch can't run; leave that out,"
            " or export a program with strop export --recipes torch"
        )
    return variant


def expect(bundle: Bundle, config: ServeConfig) -> Variant:
    """The variant that is served unless opening it fails, told without doing that.

    Raises ``InputError`` for one that isn't there or that its provider can't run.
    """
    *others, last = candidates(bundle, config)
    for backend in others:
        with suppress(InputError):  # the next stands in, as when it is opened
            if backend.missing() is None:
                return choose(bundle, backend, config.variant)
    return choose(bundle, last, config.variant)


def _default(bundle: Bundle, backend: Backend) -> Variant:
    on_gpu = backend.on_gpu()
    for provider in backend.made_for:
        made = [
            variant
            for variant in bundle.manifest.variants
            if variant.provider == provider
            and not (on_gpu and variant.sparsity)
            and tensorrt.unfit_here(variant.facts) is None
        ]
        if made:
            return _smallest(made) if on_gpu else max(made, key=lambda one: one.tokens_per_second)
    return bundle.reference


def _smallest(variants: Sequence[Variant]) -> Variant:
    least = min(variant.bytes for variant in variants)
    return next(variant for variant in variants if variant.bytes <= ALIKE * least)
