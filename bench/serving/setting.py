"""What every part needs: the options, the bundle, the texts, and servers to measure."""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from strop.errors import InputError
from strop.export.bundle import Bundle

from ..columns import Columns
from ..served import Served
from ..server_process import ServerProcess
from ..texts import read_texts
from .config import ServingConfig

TASK = "text-classification"
"""What the parts know the answers of."""
TEXTS = 512
"""Texts that a run draws from the file. Every contender works on these, all of them again and again,
so that none gets longer ones than another."""


@dataclass(frozen=True)
class Setting:
    """One run of the benchmark."""

    config: ServingConfig
    bundle: Bundle
    variant: str
    """The variant whose figures are held against the targets."""
    texts: tuple[str, ...]
    """In the order of the load, which is random."""
    say: Callable[[str], None]
    """Hears of progress."""

    @classmethod
    def read(cls, config: ServingConfig, say: Callable[[str], None]) -> Self:
        """Open the bundle and draw the texts; ``InputError`` names what is missing and the fix."""
        for option, path in (("--bundle", config.bundle), ("--texts", config.texts)):
            if not path.exists():
                raise InputError(f"{option} {path} is not there; run make demo first, or name your own")
        bundle = Bundle.open(config.bundle)
        variant = (bundle.variant(config.variant) if config.variant else bundle.reference).name
        task, pairs = bundle.task, bundle.manifest.pairs
        if task.name != TASK or pairs:
            kind = f"{task.name} of pairs" if pairs else task.name
            raise InputError(f"--bundle {config.bundle} is for {kind}; give one for {TASK} of single texts")
        texts = read_texts(config.texts, Columns.of(task, 1)).texts
        drawn = np.random.default_rng(config.seed).permutation(len(texts))[:TEXTS]
        return cls(config, bundle, variant, tuple(texts[number][0] for number in drawn), say)

    @property
    def variants(self) -> list[str]:
        """All that are measured for efficiency, the one with the targets first."""
        others = [] if self.config.variant else [variant.name for variant in self.bundle.manifest.variants]
        return list(dict.fromkeys([self.variant, *others]))

    @property
    def model(self) -> str:
        """The name to ask for."""
        return self.bundle.manifest.name

    @property
    def served(self) -> Served:
        """The model as a server of the bundle has it."""
        return Served(self.model, self.bundle.task)

    @property
    def threads(self) -> int:
        """Threads that compute one batch in the servers: 1 unless the servers' options say more."""
        return int(self._serve_options().get("threads", 1))

    def server(self, *options: object, variant: str | None = None) -> ServerProcess:
        """A server, not yet started; ``options`` win over the file of options."""
        path = self.config.serve_config
        file = ("--config", path) if path else ()
        words = ("--variant", variant or self.variant, "--log-level", "warning", *file, *options)
        return ServerProcess(self.config.bundle, *words)

    def _serve_options(self) -> dict[str, Any]:
        path = self.config.serve_config
        if path is None:
            return {}
        try:
            found: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8")).get("serve", {})
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise InputError(f"--serve-config {path} can't be read: {error}") from error
        return found
