"""How a variant's TensorRT engines are had: out of the cache, or built beside the server."""

import logging
from collections.abc import Callable, Sequence
from weakref import WeakMethod

from strop.errors import StropError
from strop.export.bundle import Buckets, Bundle, Layout, Session, Variant, bucketed
from strop.export.bundle.probe import missing
from strop.export.providers import CUDA
from strop.export.tensorrt import (
    Builder,
    CachedEngine,
    EngineCache,
    EngineKey,
    NotAvailableError,
    default_folder,
    find,
    profiles_of,
    target,
    unfit,
)

from . import cuda
from .capturing import GPU
from .engine import Engine
from .memory import Estimate
from .onnx import OnnxEngine
from .options import EngineOptions
from .tensorrt import engines_on

log = logging.getLogger(__name__)


def open_meanwhile(
    bundle: Bundle, variant: Variant, options: EngineOptions, batch_tokens: int
) -> Sequence[Engine]:
    """ONNX Runtime's engines, which take batches as TensorRT's will: on the GPU or, if it can't, the CPU.

    Raises ``StropError`` when neither can open the variant.
    """
    try:
        if (reason := missing(CUDA)) is None:
            return cuda.open_on_cuda(bundle, variant, options, batch_tokens)
    except StropError as error:
        reason = str(error)
    log.warning("the CPU serves until TensorRT does: %s", reason)
    session = Session(bundle.model_file(variant), threads=options.threads)
    layout = bucketed(variant.layout, bundle.manifest.max_tokens)
    return [OnnxEngine(session, layout, bundle.task)] * (options.instances or cuda.INSTANCES)


class TensorRTPreparation:
    """A ``Preparation`` for GPU 0."""

    name = "TensorRT"
    provider = "tensorrt"

    def __init__(
        self,
        bundle: Bundle,
        variant: Variant,
        layout: Layout,
        batch_tokens: int,
        options: EngineOptions,
    ) -> None:
        """``layout`` is that of the engines that serve meanwhile, in fixed shapes."""
        if not isinstance(layout, Buckets):
            raise TypeError(f"TensorRT takes batches in fixed shapes, and not as {layout.kind}")
        self._bundle = bundle
        self._variant = variant
        self._layout = layout
        self._batch_tokens = batch_tokens
        self._profiles = profiles_of(layout.shapes(batch_tokens))
        self._cache = EngineCache(options.engine_cache or default_folder())
        self._cached: CachedEngine | None = None
        self._keep: Callable[[], Callable[[], None] | None] = lambda: None
        self._builder: Builder | None = None
        self._stopped = False

    def prepare(self, progress: Callable[[float], None]) -> str:
        """``cached`` or ``built``; raises ``NotAvailableError`` where TensorRT isn't for this machine."""
        found = find()
        library, card, capability = found.require_library(), found.require_card(), target(found)
        if reason := unfit(self._variant.facts, capability):
            raise NotAvailableError(f"of variant {self._variant.name!r}: {reason}; serve another")
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

    def estimate(self, count: int) -> Estimate:
        """What so many engines will take of the GPU's memory."""
        return Estimate.of_engine(
            self._prepared.entry.bytes,
            self._bundle.model_file(self._variant),
            self._batch_tokens,
            self._bundle.manifest.max_tokens,
            count,
        )

    def open(self, count: int) -> Sequence[Engine]:
        """An engine with a stream and buffers of its own for each instance; all share the weights."""
        # Not at the top: on a box without a GPU its packages need not be there.
        from .card import TensorRTCard
        from .loaded import LoadedEngine

        with GPU.together():
            loaded = LoadedEngine(self._prepared)
            # Weakly, else the weights would be held after the engines are closed.
            self._keep = WeakMethod(loaded.keep_kernels)
            return engines_on(
                lambda: TensorRTCard(loaded),
                count,
                self._prepared.key,
                loaded.shapes,
                self._layout,
                self._bundle.task,
            )

    def keep(self) -> None:
        """Keep the kernels that were compiled for this card."""
        if (keep := self._keep()) is not None:
            keep()

    def stop(self) -> None:
        """End a build under way."""
        self._stopped = True
        if self._builder is not None:
            self._builder.kill()

    @property
    def _prepared(self) -> CachedEngine:
        assert self._cached is not None  # noqa: S101
        return self._cached
