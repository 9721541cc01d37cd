"""A bundle's variant, checked and warm: what the server serves."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from strop.errors import StropError
from strop.export.bundle import Bundle, Drift, Layout, Session, TextEncoder
from strop.tasks import Task

from ..config import ServeConfig
from ..errors import NotFoundError
from .engine import Engine, OnnxEngine, warm_up
from .mask import Mask


@dataclass(frozen=True)
class Model:
    """One variant on its engines."""

    name: str
    version: str
    variant: str
    provider: str
    """The ONNX Runtime execution provider that it really runs on."""
    task: Task
    labels: tuple[str, ...]
    """What its outputs stand for; those of a model that tells words are the tokenizer's."""
    width: int
    """Numbers in an output: one for each label, or a vector's."""
    pairs: bool
    """Whether it judges two texts together."""
    encoder: TextEncoder
    engines: Sequence[Engine]
    """One for each instance; any of them may be the same object."""
    measured: Sequence[tuple[int, float]]
    """(tokens, seconds) of batches on one engine, from the warm-up."""
    mask: Mask | None = None
    """What a text must have once, of a model that tells words."""

    @classmethod
    def load(cls, config: ServeConfig) -> Self:
        """Open the bundle, load its variant, check the golden examples, warm up.

        Raises ``InputError`` for a bundle or variant that isn't right, ``StropError`` when it runs
        on another provider than it is meant for or its answers are out of tolerance.
        """
        bundle = Bundle.open(config.bundle, config.public_key)
        variant = bundle.variant(config.variant)
        # One session for all instances: it may run on many threads at once, and a second one was
        # not faster on two cores but took the weights' memory again.
        session = Session(bundle.model_file(variant), provider=variant.provider, threads=config.threads)
        layout = variant.layout.padded() if config.layout == "padded" else variant.layout
        engine = OnnxEngine(session, layout, bundle.task)
        # As they would be served: on the real provider, in batches of the same size.
        drift = Drift.of(bundle, variant, engine.run, layout, config.batch_tokens)
        if fault := drift.fault(variant):
            raise StropError(fault)
        encoder, mask_id = bundle.text_encoder(), layout.mask_token_id
        return cls(
            name=bundle.manifest.name,
            version=bundle.manifest.version,
            variant=variant.name,
            provider=session.provider,
            task=bundle.task,
            labels=bundle.manifest.labels if mask_id is None else encoder.words(),
            width=session.width,
            pairs=bundle.manifest.pairs,
            encoder=encoder,
            engines=[engine] * config.instance_count,
            measured=warm_up(engine, config.batch_tokens, bundle.manifest.max_tokens),
            mask=None if mask_id is None else Mask(encoder.name_of(mask_id), layout),
        )

    @property
    def layout(self) -> Layout:
        """How its engines take several texts at once."""
        return self.engines[0].layout

    def require(self, name: str, version: str = "") -> None:
        """``NotFoundError`` unless the name is this model's, and the version if one is given."""
        if name != self.name:
            raise NotFoundError(f"model {name!r} is not served here; ask for {self.name!r}")
        if version not in ("", self.version):
            raise NotFoundError(f"model {name!r} has no version {version!r} here; ask for {self.version!r}")
