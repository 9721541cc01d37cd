"""What batch-invariance costs: a bundle's layouts in turn, in this process, on real texts.

Run as ``python -m strop.bench.layouts BUNDLE TEXTS``.
"""

import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from statistics import median

import cyclopts
import numpy as np
from cyclopts import Parameter
from numpy.typing import NDArray
from rich.console import Console

from strop.errors import StropError
from strop.export.bundle import Bundle, Session
from strop.export.bundle.layout import IntArray, Layout
from strop.options import require_at_least
from strop.tasks import softmax

from .columns import Columns
from .grid import Grid, show_grid
from .texts import read_texts

Batches = Sequence[Sequence[IntArray]]


@Parameter(name="*")
@dataclass(frozen=True)
class LayoutsConfig:
    """Which layouts are measured, on what."""

    bundle: Path
    """The bundle whose variants are run."""
    texts: Path
    """JSONL with a `text` in each line."""
    _: KW_ONLY
    tokens: tuple[int, ...] = (128, 192)
    """Token budgets of a packed batch."""
    padded_texts: int = 16
    """Texts in a padded batch."""
    limit: int = 600
    """At most so many texts, from the top of the file."""
    rounds: int = 7
    """How often each layout is measured, in turn. The median counts."""
    instances: int = os.cpu_count() or 1
    """Batches computed at the same time, on one session of one thread each."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` naming the option, its value and the fix."""
        require_at_least(self, padded_texts=1, limit=1, rounds=1, instances=1)


@dataclass(frozen=True)
class Contender:
    """A way to batch the texts, and what it showed."""

    name: str
    layout: Layout
    batches: Batches

    def seconds(self, session: Session, instances: int) -> float:
        """Seconds to answer every text, from token ids to logits."""
        started = time.perf_counter()
        with ThreadPoolExecutor(instances) as pool:
            for _ in pool.map(lambda batch: session.run(self.layout.feeds(batch)), self.batches):
                pass
        return time.perf_counter() - started

    def padding(self) -> float:
        """The share of the tokens in the dense layers that are padding."""
        computed = sum(self.layout.feeds(batch)["input_ids"].size for batch in self.batches)
        return 1 - sum(len(sequence) for batch in self.batches for sequence in batch) / computed

    def probabilities(self, session: Session) -> NDArray[np.float32]:
        """Shape [n, classes], in the order of the texts."""
        return np.concatenate([softmax(session.run(self.layout.feeds(batch))) for batch in self.batches])

    def difference(self, session: Session) -> float:
        """How far a probability moves between a text alone and the same text in its batch."""
        alone = [[sequence] for batch in self.batches for sequence in batch]
        return float(np.abs(self.probabilities(session) - _alone(self, alone, session)).max())


def _alone(contender: Contender, batches: Batches, session: Session) -> NDArray[np.float32]:
    return replace(contender, batches=batches).probabilities(session)


def contenders(layout: Layout, sequences: Sequence[IntArray], config: LayoutsConfig) -> list[Contender]:
    """The variant's layout, the same without alignment, and first-come padded batches."""
    found = []
    for tokens in config.tokens:
        unaligned = replace(layout, alignment=1)
        for name, one in ((f"{layout.kind}, {tokens} tokens", layout), ("  without alignment", unaligned)):
            found.append(Contender(name, one, list(one.batches(sequences, tokens))))
    size = config.padded_texts
    rows = [sequences[start : start + size] for start in range(0, len(sequences), size)]
    return [*found, Contender(f"padded, {size} texts", layout.padded(), rows)]


def compare(variant: str, session: Session, found: Sequence[Contender], config: LayoutsConfig) -> Grid:
    """Measure the contenders in turn; shares are medians of rounds, against the fastest contender."""
    seconds = [[one.seconds(session, config.instances) for one in found] for _ in range(config.rounds + 1)]
    later = seconds[1:]  # the first round warms up
    fastest = min(range(len(found)), key=lambda number: median(row[number] for row in later))
    texts = sum(map(len, found[0].batches))
    rows = [
        (
            one.name,
            f"{texts / median(row[number] for row in later):,.0f}",
            f"{median(row[fastest] / row[number] for row in later):.1%}",
            f"{one.padding():.1%}",
            f"{one.difference(session):.2g}",
        )
        for number, one in enumerate(found)
    ]
    return Grid(
        f"{variant}: {texts} texts, {config.instances} at a time, {config.rounds} rounds",
        ("layout", "texts/s", "of the fastest", "padding", "batch effect"),
        rows,
        "batch effect: how far a probability moves between a text alone and in its batch.",
    )


def layouts(config: LayoutsConfig) -> None:
    """Print, for each variant, what its layout costs against the same without alignment."""
    bundle = Bundle.open(config.bundle)
    texts = [text for (text,) in read_texts(config.texts, Columns.of(bundle.task, 1)).texts[: config.limit]]
    sequences = [encoded.ids for encoded in bundle.text_encoder().encode(texts)]
    for variant in bundle.manifest.variants:
        session = Session(bundle.model_file(variant), provider=variant.provider)
        found = contenders(variant.layout, sequences, config)
        show_grid(compare(variant.name, session, found, config), Console())


if __name__ == "__main__":
    try:
        cyclopts.run(layouts)
    except StropError as error:
        sys.exit(f"error: {error}")
