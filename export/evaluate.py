"""Measure variants on the held-out split: accuracy, agreement with fp32, and tokens per second."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from strop.train.scores import headline

from .bundle import Encoded, PackedLayout, Session, softmax

# Tokens in a measured batch: the size at which packed sequences ran fastest on x86 cores.
BATCH_TOKENS = 128
# Texts that are asked again alone, to see whether their answer depends on their batch.
ALONE_TEXTS = 500
CONFIDENCE_BINS = 15


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
    batch_difference: float
    """Largest absolute difference of a probability between a text alone and in its batch."""

    @property
    def predictions(self) -> NDArray[np.int64]:
        """The most probable class of each text, shape [n]."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)

    def metrics(self, held_out: HeldOut, reference: "Measurement") -> dict[str, float]:
        """``accuracy`` and ``macro_f1`` against the labels, ``agreement`` with the reference's
        predictions, ``calibration_error``, and ``batch_difference``.
        """
        right = self.predictions == held_out.labels
        return headline(held_out.labels.tolist(), self.predictions.tolist()) | {
            "agreement": float((self.predictions == reference.predictions).mean()),
            "calibration_error": calibration_error(self.probabilities, right),
            "batch_difference": self.batch_difference,
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
    measurements = {}
    for name, session in sessions.items():
        rows = np.concatenate(probabilities[name])
        alone = [softmax(session.run(layout.feeds([text.ids]))) for text in held_out.encoded[:ALONE_TEXTS]]
        difference = float(np.abs(np.concatenate(alone) - rows[:ALONE_TEXTS]).max())
        measurements[name] = Measurement(rows, float(np.median(rates[name])), difference)
    return measurements


def class_indices(names: Sequence[str], labels: Sequence[str]) -> NDArray[np.int64]:
    """Class index of each label name, shape [n]."""
    index = {label: number for number, label in enumerate(labels)}
    return np.array([index[name] for name in names], dtype=np.int64)


def calibration_error(probabilities: NDArray[np.float32], right: NDArray[np.bool_]) -> float:
    """Expected calibration error of [n, classes] (Guo et al., 2017): how far confidence is from truth.

    Texts fall into bins of equal width by the probability of their best class; the error is the mean
    over texts of the difference between their bin's mean probability and its share of ``right`` [n].
    """
    confidence = probabilities.max(axis=1)
    bins = np.minimum((confidence * CONFIDENCE_BINS).astype(np.int64), CONFIDENCE_BINS - 1)
    gaps = np.bincount(bins, weights=confidence - right, minlength=CONFIDENCE_BINS)
    return float(np.abs(gaps).sum() / len(right))
