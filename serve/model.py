"""A bundle's variant, checked and warm: what the server serves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from strop.export.bundle import Bundle, PackedLayout, Session, TextEncoder

from .config import ServeConfig
from .engine import Engine, OnnxEngine, warm_up
from .errors import NotFoundError
from .golden import check_golden


@dataclass(frozen=True)
class Model:
    """One variant on its engines."""

    name: str
    version: str
    variant: str
    provider: str
    """The ONNX Runtime execution provider that it really runs on."""
    labels: tuple[str, ...]
    encoder: TextEncoder
    layout: PackedLayout
    engines: Sequence[Engine]
    """One for each instance; any of them may be the same object."""
    tokens_per_second: float
    """One engine's rate in warm-up times their number."""

    @classmethod
    def load(cls, config: ServeConfig) -> Self:
        """Open the bundle, load its variant, check the golden examples, warm up.

        Raises ``InputError`` for a bundle or variant that isn't right, ``StropError`` when it runs
        on another provider than it is meant for or its answers are out of tolerance.
        """
        bundle = Bundle.open(config.bundle)
        variant = bundle.variant(config.variant)
        # One session for all instances: it may run on many threads at once, and a second one was
        # not faster on two cores but took the weights' memory again.
        session = Session(bundle.model_file(variant), provider=variant.provider, threads=config.threads)
        engine = OnnxEngine(session, variant.layout)
        check_golden(bundle, variant, engine, config.batch_tokens)
        rate = warm_up(engine, variant.layout, config.batch_tokens, bundle.manifest.max_tokens)
        return cls(
            name=bundle.manifest.name,
            version=bundle.manifest.version,
            variant=variant.name,
            provider=session.provider,
            labels=bundle.manifest.labels,
            encoder=bundle.text_encoder(),
            layout=variant.layout,
            engines=[engine] * config.instance_count,
            tokens_per_second=rate * config.instance_count,
        )

    def require(self, name: str, version: str = "") -> None:
        """``NotFoundError`` unless the name is this model's, and the version if one is given."""
        if name != self.name:
            raise NotFoundError(f"model {name!r} is not served here; ask for {self.name!r}")
        if version not in ("", self.version):
            raise NotFoundError(f"model {name!r} has no version {version!r} here; ask for {self.version!r}")
