"""Engines of a bundle, built before any server asks for them."""

from collections.abc import Callable

from strop.errors import InputError, StropError

from ..bundle import Bundle, Variant, bucketed
from ..providers import CPU
from .builder import Builder
from .cache import CachedEngine, EngineCache, EngineKey
from .library import Found, target, unfit
from .profiles import profiles_of


def require_target(found: Found, asked: str | None) -> str:
    """The compute capability to build for: of the card here, or of one elsewhere that is ``asked`` for.

    Raises ``InputError`` that says what to install or to name.
    """
    library = found.require_library()
    if asked is None and found.card is None and library.capabilities:
        raise InputError(
            f"--tensorrt builds for the card of this machine, and {found.no_card}; name the card that is to"
            f" serve: --compute-capability {' or '.join(library.capabilities)}"
        )
    return target(found, asked)


def build_ahead(
    bundle: Bundle,
    found: Found,
    capability: str,
    cache: EngineCache,
    tokens: int,
    progress: Callable[[str, float], None],
) -> tuple[list[CachedEngine], dict[str, StropError]]:
    """Engines of the variants that a GPU would be served with, for batches of at most ``tokens`` tokens.

    ``progress`` hears of each variant by name what part is done, from 0 to 1. Returns what is now in the
    cache, and by a variant's name why it isn't.
    """
    library = found.require_library()
    here = found.card is not None and found.card.compute_capability == capability
    card = found.card.name if here and found.card else ""
    engines, failures = [], {}
    for variant in for_gpus(bundle):
        shapes = bucketed(variant.layout, bundle.manifest.max_tokens).shapes(tokens)
        key = EngineKey.of(bundle, variant, library, capability, profiles_of(shapes))
        name = variant.name
        progress(name, 0.0)
        try:
            if reason := unfit(variant.facts, capability):
                raise InputError(f"{reason}; leave it out, or name a newer card")
            engine, _ = cache.find(key)
            if engine is None:
                builder = Builder(bundle.model_file(variant), key, cache, card)
                engine = builder.run(lambda part, name=name: progress(name, part))  # type: ignore[misc]
        except StropError as error:
            failures[name] = error
        else:
            engines.append(engine)
            progress(name, 1.0)
    return engines, failures


def for_gpus(bundle: Bundle) -> list[Variant]:
    """The variants that were made for a GPU or, where there is none, fp32, which runs anywhere."""
    made = [variant for variant in bundle.manifest.variants if variant.provider != CPU]
    return made or [bundle.reference]
