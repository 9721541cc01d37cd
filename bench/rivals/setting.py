"""What every contender is measured on: the bundle, the texts, and how the load generator is set."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np

from strop.errors import InputError
from strop.export.bundle import Bundle

from ..columns import Columns
from ..config import BenchConfig
from ..cost.price_book import Machine, pick, read_price_book
from ..endpoint import TASK
from ..served import Served
from ..texts import Texts, read_texts
from ..written import check_folder
from .config import RivalsConfig

TEXTS = 512
"""Texts that a run draws from the file. Every contender works on these, all of them again and again,
so that none gets longer ones than another."""
WARMUP_SHARE = 0.1
LEAST_DEADLINE_MS = 10_000.0
"""Long enough for the slowest server to answer as many calls as the closed loop has in flight."""


@dataclass(frozen=True)
class Setting:
    """One comparison."""

    config: RivalsConfig
    bundle: Bundle
    served: Served
    texts: Texts
    machine: Machine
    say: Callable[[str], None]
    """Hears of progress."""

    @classmethod
    def read(cls, config: RivalsConfig, say: Callable[[str], None]) -> Self:
        """Open the bundle and draw the texts; ``InputError`` names what is missing and the fix."""
        for option, path in (("--bundle", config.bundle), ("--texts", config.texts)):
            if not path.exists():
                raise InputError(f"{option} {path} is not there; run make demo first, or name your own")
        check_folder(config.out)
        (machine,) = pick(read_price_book(config.prices).machines, (config.machine,), "--machine")
        bundle = Bundle.open(config.bundle)
        task, pairs = bundle.task, bundle.manifest.pairs
        if task.name != TASK or pairs:
            kind = f"{task.name} of pairs" if pairs else task.name
            raise InputError(f"--bundle {config.bundle} is for {kind}; give one for {TASK} of single texts")
        texts = read_texts(config.texts, Columns.of(task, 1))
        drawn = np.random.default_rng(config.seed).permutation(len(texts.texts))[:TEXTS].tolist()
        subset = Texts(tuple(texts.texts[n] for n in drawn), tuple(texts.examples[n] for n in drawn))
        served = Served.of(bundle.manifest.name, task, pairs=False)
        return cls(config, bundle, served, subset, machine, say)

    def load(
        self,
        address: str,
        protocol: Literal["typed", "open-inference"],
        endpoint: Path | None = None,
    ) -> BenchConfig:
        """How a contender at that address is driven: as strop bench drives any server."""
        config = self.config
        return BenchConfig(
            address,
            texts=config.texts,
            seconds=config.seconds,
            warmup_seconds=WARMUP_SHARE * config.seconds,
            slo_ms=config.slo_ms,
            deadline_ms=max(LEAST_DEADLINE_MS, 2 * config.slo_ms),
            protocol=protocol,
            endpoint=endpoint,
            seed=config.seed,
        )
