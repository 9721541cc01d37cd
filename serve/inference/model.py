"""A bundle's variant, checked and warm: what the server serves."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from strop.export.bundle import Bundle, Layout, TextEncoder
from strop.tasks import Task

from ..config import ServeConfig
from ..engines.engine import require_golden, warm_up
from ..engines.instances import Instances
from ..engines.onnx import OnnxEngine
from .mask import Mask


@dataclass(frozen=True)
class Model:
    """One variant on its engines."""

    name: str
    version: str
    variant: str
    task: Task
    labels: tuple[str, ...]
    """What its outputs stand for; those of a model that tells words are the tokenizer's."""
    pairs: bool
    """Whether it judges two texts together."""
    encoder: TextEncoder
    instances: Instances
    measured: Sequence[tuple[int, float]]
    """(tokens, seconds) of batches on one instance, from the warm-up."""
    mask: Mask | None = None
    """What a text must have once, of a model that tells words."""

    @classmethod
    def load(cls, root: Path, config: ServeConfig) -> Self:
        """Open a bundle, load its variant, check the golden examples, warm up.

        Raises ``InputError`` for a bundle or variant that isn't right, ``StropError`` when it runs
        on another provider than it is meant for or its answers are out of tolerance.
        """
        bundle = Bundle.open(root, config.public_key)
        variant = bundle.variant(config.variant)
        # One engine for all instances: it may run on many threads at once, and a second one was
        # not faster on two cores but took the weights' memory again.
        engine = OnnxEngine.open(bundle, variant, config)
        layout = engine.layout
        require_golden(engine, bundle, variant, config.batch_tokens)
        encoder, mask_id = bundle.text_encoder(), layout.mask_token_id
        return cls(
            name=bundle.manifest.name,
            version=bundle.manifest.version,
            variant=variant.name,
            task=bundle.task,
            labels=bundle.manifest.labels if mask_id is None else encoder.words(),
            pairs=bundle.manifest.pairs,
            encoder=encoder,
            instances=Instances([engine] * config.instance_count),
            measured=warm_up(engine, config.batch_tokens, bundle.manifest.max_tokens),
            mask=None if mask_id is None else Mask(encoder.name_of(mask_id), layout),
        )

    @property
    def provider(self) -> str:
        """What it really runs on."""
        return self.instances.provider

    @property
    def layout(self) -> Layout:
        """How it takes several texts at once."""
        return self.instances.layout

    @property
    def width(self) -> int:
        """Numbers in an output: one for each label, or a vector's."""
        return self.instances.width
