"""The contenders: one model as PyTorch computes it, as ONNX Runtime does, and as each variant does."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from strop.export.bundle import BATCH_TOKENS, Bundle, Session, Variant
from strop.train.run import Run

from ..targets.turns import turns

EAGER = "PyTorch eager, one at a time"
ALONE = "ONNX Runtime fp32, padded, one at a time"
THREADS = 1

Compute = Callable[[], None]
Sequences = Sequence[NDArray[np.int64]]


@dataclass(frozen=True)
class Contest:
    """All contenders for one bundle, on the same texts."""

    bundle: Bundle
    tokens: int
    """Of all texts, special tokens included."""
    contenders: Mapping[str, Compute]
    """Each computes all texts once; a variant under its own name."""

    @classmethod
    def open(cls, bundle: Bundle, run: Run, texts: int, seed: int) -> "Contest":
        """Load everything; ``InputError`` when the run's data or base model can't be had."""
        test = run.splits().test
        drawn = np.random.default_rng(seed).permutation(len(test))[:texts]
        sequences = [one.ids for one in bundle.text_encoder().encode([test[i].text for i in drawn])]
        reference = bundle.reference
        padded = reference.layout.padded()
        contenders = {
            EAGER: _eager(run, sequences),
            ALONE: _session(bundle, reference, [padded.feeds([sequence]) for sequence in sequences]),
        }
        for variant in bundle.manifest.variants:
            batches = variant.layout.batches(sequences, BATCH_TOKENS)
            feeds = [variant.layout.feeds(batch) for batch in batches]
            contenders[variant.name] = _session(bundle, variant, feeds)
        return cls(bundle, sum(map(len, sequences)), contenders)

    def rates(self, rounds: int, say: Callable[[str], None]) -> dict[str, list[float]]:
        """Tokens per second of each contender in each round, in ``turns``."""
        found: dict[str, list[float]] = {name: [] for name in self.contenders}
        for compute in self.contenders.values():
            compute()  # the first time allocates
        for name, phrase in turns(rounds, self.contenders):
            say(f"{self.bundle.manifest.name}, {phrase}")
            started = time.perf_counter()
            self.contenders[name]()
            found[name].append(self.tokens / (time.perf_counter() - started))
        return found


def _session(bundle: Bundle, variant: Variant, feeds: Sequence[dict[str, NDArray[np.int64]]]) -> Compute:
    session = Session(bundle.model_file(variant), provider=variant.provider, threads=THREADS)

    def compute() -> None:
        for one in feeds:
            session.run(one)

    return compute


def _eager(run: Run, sequences: Sequences) -> Compute:
    # Not at the top: a box that measures needs torch for this contender alone.
    import torch

    torch.set_num_threads(THREADS)
    model = run.merged_model()
    inputs = [torch.from_numpy(sequence)[np.newaxis] for sequence in sequences]

    @torch.inference_mode()
    def compute() -> None:
        for ids in inputs:
            model(ids)

    return compute
