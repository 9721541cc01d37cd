"""A bundle's variant, checked and warm: what the server serves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from strop.export.bundle import BATCH_TOKENS, Bundle, Layout, Profile, TextEncoder
from strop.tasks import Task

from ..config import ServeConfig
from ..engines.engine import Rest, no_rest
from ..engines.instances import Instances
from ..engines.opening import open_engines
from ..engines.upgrade import Upgrade
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
    batch_tokens: int = BATCH_TOKENS
    """Tokens in a batch at most."""
    not_opened: Mapping[str, str] = field(default_factory=dict)
    """Why a better provider, or the one that was asked for, wasn't opened, by its name."""
    upgrade: Upgrade | None = None
    """What prepares better engines while it answers."""
    profile: Profile = field(default_factory=dict)
    """How the held-out texts are spread, if its bundle says so."""

    @classmethod
    def load(cls, root: Path, config: ServeConfig, rest: Rest = no_rest) -> Self:
        """Open a bundle and make a model ``of`` it; raises as that does."""
        return cls.of(Bundle.open(root, config.public_key), config, rest)

    @classmethod
    def of(cls, bundle: Bundle, config: ServeConfig, rest: Rest = no_rest) -> Self:
        """Load a verified bundle's variant, check the golden examples, warm up; ``rest`` between batches.

        Raises ``InputError`` for a bundle, variant or provider that isn't right, ``StropError`` when
        none can open it or its answers are out of tolerance.
        """
        encoder = bundle.text_encoder()
        opened = open_engines(bundle, config, rest)
        instances = Instances(opened.engines)
        layout = instances.layout
        measured = instances.warm_up(opened.batch_tokens, bundle.manifest.max_tokens, rest)
        upgrade = opened.upgrade(instances)
        if upgrade is not None and config.require_provider:
            try:
                upgrade.require()
            except BaseException:
                instances.close()
                raise
        mask_id = layout.mask_token_id
        return cls(
            name=bundle.manifest.name,
            version=bundle.manifest.version,
            variant=opened.variant.name,
            task=bundle.task,
            labels=bundle.manifest.labels if mask_id is None else encoder.words(),
            pairs=bundle.manifest.pairs,
            encoder=encoder,
            instances=instances,
            measured=measured,
            profile=bundle.manifest.profile,
            mask=None if mask_id is None else Mask(encoder.name_of(mask_id), layout),
            batch_tokens=opened.batch_tokens,
            not_opened=opened.passed_over,
            upgrade=upgrade,
        )

    @property
    def passed_over(self) -> Mapping[str, str]:
        """Why a better provider, or the one that was asked for, isn't used, by its name."""
        return {**self.not_opened, **(self.upgrade.passed_over if self.upgrade is not None else {})}

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
