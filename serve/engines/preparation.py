"""How a variant's TensorRT engines are had: out of the cache, or built beside the server."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from strop.export.bundle import Bundle, Layout, Variant
from strop.export.tensorrt import Builder, CachedEngine, EngineCache, EngineKey, find, profiles_of, target

from .engine import Engine
from .tensorrt import TensorRTEngine

log = logging.getLogger(__name__)


class TensorRTPreparation:
    """A ``Preparation`` for GPU 0."""

    name = "TensorRT"

    def __init__(
        self,
        bundle: Bundle,
        variant: Variant,
        layout: Layout,
        shapes: Sequence[tuple[int, int]],
        folder: Path,
    ) -> None:
        """``layout`` is that of the engines that serve meanwhile, ``shapes`` the rows and length of each
        rectangle that it makes, and ``folder`` the engine cache's.
        """
        self._bundle = bundle
        self._variant = variant
        self._layout = layout
        self._profiles = profiles_of(shapes)
        self._cache = EngineCache(folder)
        self._cached: CachedEngine | None = None
        self._keep: Callable[[], None] = lambda: None
        self._builder: Builder | None = None
        self._stopped = False

    def prepare(self, progress: Callable[[float], None]) -> str:
        """``cached`` or ``built``; raises ``NotAvailableError`` where TensorRT isn't for this machine."""
        found = find()
        library, card, capability = found.require_library(), found.require_card(), target(found)
        key = EngineKey.of(self._bundle, self._variant, library, capability, self._profiles)
        self._cached, reason = self._cache.find(key)
        if self._cached is not None:
            return "cached"
        log.info("a TensorRT engine is built", extra={"facts": {"engine": key.stem, "reason": reason}})
        self._builder = Builder(self._bundle.model_file(self._variant), key, self._cache, card.name)
        if self._stopped:
            self._builder.kill()
        self._cached = self._builder.run(progress)
        return "built"

    def open(self, count: int) -> Sequence[Engine]:
        """An engine with a stream and buffers of its own for each instance; all share the weights."""
        # Not at the top: on a box without a GPU its packages need not be there.
        from .card import LoadedEngine

        assert self._cached is not None  # noqa: S101
        loaded = LoadedEngine(self._cached)
        self._keep = loaded.keep_kernels
        key, task = self._cached.key, self._bundle.task
        return [TensorRTEngine(loaded.card(), key, loaded.shapes, self._layout, task) for _ in range(count)]

    def keep(self) -> None:
        """Keep the kernels that were compiled for this card."""
        self._keep()

    def stop(self) -> None:
        """End a build under way."""
        self._stopped = True
        if self._builder is not None:
            self._builder.kill()
