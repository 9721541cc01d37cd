"""The TensorRT engines of a bundle in the cache, and whether this machine can use them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..bundle import Bundle
from ..tensorrt import CachedEngine, EngineCache, EngineKey, Found, default_folder, find


@dataclass(frozen=True)
class EngineFinding:
    """An engine of one of the bundle's variants."""

    engine: CachedEngine
    fault: str | None
    """Why it can't be used here."""


def engine_findings(
    bundle: Bundle, folder: Path | None, ask: Callable[[], Found] = find
) -> tuple[EngineFinding, ...]:
    """What the cache holds of the bundle's graphs; ``ask`` says what is here, if there is any."""
    files = bundle.manifest.files
    graphs = {files[one.file].sha256 for one in bundle.manifest.variants if one.file in files}
    engines = EngineCache(folder or default_folder()).engines()
    ours = [engine for engine in engines if engine.key.graph_sha256 in graphs]
    return tuple(EngineFinding(one, one.fault() or misfit(one.key, ask())) for one in ours)


def misfit(key: EngineKey, found: Found) -> str | None:
    """Why an engine of a key isn't for this machine."""
    if found.library is None:
        return found.no_library
    there = (found.library.module, found.library.version, found.library.cuda)
    if there != (key.library, key.version, key.cuda):
        return f"here is {found.library}"
    if found.card is None:
        return found.no_card
    if found.card.compute_capability != key.compute_capability:
        return f"the card here, {found.card.name}, has compute capability {found.card.compute_capability}"
    return None
