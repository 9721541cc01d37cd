"""What an engine is, how a batch is computed on it, and how it is warmed up."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

from strop.errors import StropError
from strop.export.bundle import Bundle, Drift, Layout, Variant
from strop.tasks import Outputs

from ..core import Batch, IntArray

log = logging.getLogger(__name__)

WARM_UP_ROUNDS = 3


class Engine(Protocol):
    """What computes a batch; several threads may share one unless it says otherwise."""

    @property
    def provider(self) -> str:
        """What it really runs on, as metadata, metrics and log name it."""
        ...

    @property
    def layout(self) -> Layout:
        """How it takes several texts at once."""
        ...

    @property
    def width(self) -> int:
        """Numbers in an output."""
        ...

    def run(self, sequences: Sequence[IntArray]) -> Outputs:
        """The outputs for n sequences of tokens."""
        ...

    def close(self) -> None:
        """Give its memory back; nothing may run on it any more."""
        ...


Rest = Callable[[float], None]
"""Hears how many seconds a batch took, and may wait before the next one."""


def no_rest(seconds: float) -> None:
    """Go on at once."""


def require_golden(
    engine: Engine, bundle: Bundle, variant: Variant, tokens: int, rest: Rest = no_rest
) -> None:
    """Compute the bundle's golden examples as they would be served, in batches of ``tokens`` tokens.

    Raises ``StropError`` when an answer is out of the variant's tolerance, or there is none to compare.
    """

    def answer(sequences: Sequence[IntArray]) -> Outputs:
        started = time.perf_counter()
        found = engine.run(sequences)
        rest(time.perf_counter() - started)
        return found

    drift = Drift.of(bundle, variant, answer, engine.layout, tokens)
    if fault := drift.fault(variant, engine.provider):
        raise StropError(fault)


def compute(engine: Engine, batch: Batch) -> tuple[Sequence[Outputs], Mapping[int, Exception]]:
    """The batch's rows and failures by share; when it fails as a whole, every share runs alone."""
    try:
        return _split(batch, engine.run(batch.sequences)), {}
    except Exception as error:
        log.exception("a batch failed", extra={"facts": {"texts": batch.texts}})
        if len(batch.shares) == 1:
            return [_NO_ROWS], {0: error}
    rows: list[Outputs] = []
    failures: dict[int, Exception] = {}
    for number, share in enumerate(batch.shares):
        alone, failed = compute(engine, Batch([share], batch.tokens, batch.formed))
        rows += alone
        if failed:
            failures[number] = failed[0]
    return rows, failures


def warm_up(engine: Engine, budget: int, max_tokens: int, rest: Rest = no_rest) -> list[tuple[int, float]]:
    """Run batches that are typical of the engine's layout, up to ``budget`` tokens, some times over.

    The first runs of a graph allocate memory, pack weights and choose kernels; no caller should wait
    for that. Returns (tokens, seconds) of the last ones.
    """
    # On a CPU the thread's own time: beside models that are served it waits for its turn most of the time.
    clock = time.thread_time if engine.provider == "CPUExecutionProvider" else time.perf_counter
    layout = engine.layout
    measured = []
    for lengths in layout.samples(budget, max_tokens):
        sequences = [np.zeros(tokens, dtype=np.int64) for tokens in lengths]
        tokens = layout.computed(len(lengths), max(lengths), sum(lengths))
        for number in range(WARM_UP_ROUNDS):
            started = clock()
            engine.run(sequences)
            seconds = clock() - started
            if number:
                measured.append((tokens, seconds))
            rest(seconds)
    return measured


_NO_ROWS: Outputs = ()


def _split(batch: Batch, found: Outputs) -> list[Outputs]:
    """The rows of each share; ``ValueError`` when the engine gave another number of them."""
    if len(found) != batch.texts:
        raise ValueError(f"the engine gave {len(found)} rows for {batch.texts} texts")
    rows = []
    start = 0
    for share in batch.shares:
        stop = start + share.stop - share.start
        rows.append(found[start:stop])
        start = stop
    return rows
