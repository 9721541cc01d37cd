"""Measure variants on the held-out split: accuracy, agreement with fp32, and tokens per second."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, f1_score

from .bundle import Encoded, PackedLayout, Session, softmax

# Tokens in a measured batch: the size at which packed sequences ran fastest on x86 cores.
BATCH_TOKENS = 128


@dataclass(frozen=True)
class HeldOut:
    """The split that decides, encoded once."""

    texts: tuple[str, ...]
    encoded: tuple[Encoded, ...]
    labels: NDArray[np.int64]
    """Class index of each text, shape [n]."""


@dataclass(frozen=True)
class Measurement:
    """What one variant did on the held-out split."""

    probabilities: NDArray[np.float32]
    """Shape [n, classes], in the split's order."""
    tokens_per_second: float
    """Median over batches, one thread, padding not counted."""

    @property
    def predictions(self) -> NDArray[np.int64]:
        """The most probable class of each text, shape [n]."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)

    def metrics(self, held_out: HeldOut, reference: "Measurement") -> dict[str, float]:
        """``accuracy`` and ``macro_f1`` against the labels, ``agreement`` with the reference."""
        labels, predictions = held_out.labels, self.predictions
        return {
            "accuracy": float(accuracy_score(labels, predictions)),
            "macro_f1": float(f1_score(labels, predictions, average="macro", zero_division=0.0)),
            "agreement": float((predictions == reference.predictions).mean()),
        }


def measure(
    sessions: Mapping[str, Session],
    layout: PackedLayout,
    held_out: HeldOut,
    progress: Callable[[int, int], None],
) -> dict[str, Measurement]:
    """Run every session over the split, taking turns batch by batch so that noise hits all alike.

    ``progress`` is told, after each batch, how many texts are done and how many there are.
    """
    probabilities: dict[str, list[NDArray[np.float32]]] = {name: [] for name in sessions}
    rates: dict[str, list[float]] = {name: [] for name in sessions}
    done = 0
    for batch in layout.batches([text.ids for text in held_out.encoded], BATCH_TOKENS):
        feeds, tokens = layout.feeds(batch), sum(map(len, batch))
        for name, session in sessions.items():
            start = time.perf_counter()
            logits = session.run(feeds)
            rates[name].append(tokens / (time.perf_counter() - start))
            probabilities[name].append(softmax(logits))
        done += len(batch)
        progress(done, len(held_out.texts))
    return {
        name: Measurement(np.concatenate(probabilities[name]), float(np.median(rates[name])))
        for name in sessions
    }


def class_indices(names: Sequence[str], labels: Sequence[str]) -> NDArray[np.int64]:
    """Class index of each label name, shape [n]."""
    index = {label: number for number, label in enumerate(labels)}
    return np.array([index[name] for name in names], dtype=np.int64)
