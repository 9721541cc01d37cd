"""Measure variants on held-out texts: what they get right, how surely, and how fast."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from strop.train.scores import headline

from .bundle import BATCH_TOKENS, Encoded, Layout, Session, softmax

# Texts that are asked again alone, to see how long that takes and whether the answer is the same.
ALONE_TEXTS = 500
CONFIDENCE_BINS = 15


@dataclass(frozen=True)
class HeldOut:
    """Texts that the model never learnt from, encoded once."""

    texts: tuple[str, ...]
    encoded: tuple[Encoded, ...]
    labels: NDArray[np.int64]
    """Class index of each text, shape [n]."""

    def first(self, count: int) -> "HeldOut":
        """Only the first ``count`` texts."""
        return HeldOut(self.texts[:count], self.encoded[:count], self.labels[:count])


@dataclass(frozen=True)
class Measurement:
    """What one variant did on the held-out split."""

    probabilities: NDArray[np.float32]
    """Shape [n, classes], in the split's order."""
    tokens_per_second: float
    """Median over batches, one thread, padding not counted."""
    speedup: float
    """Tokens per second over the reference's, the median over batches that both computed in turn."""
    milliseconds_alone: float
    """Median for a text alone, one thread."""
    batch_difference: float
    """Largest absolute difference of a probability between a text alone and in its batch."""

    def right(self, held_out: HeldOut) -> NDArray[np.bool_]:
        """Which texts got their own label, shape [n]."""
        return np.asarray(self.predictions == held_out.labels)

    @property
    def predictions(self) -> NDArray[np.int64]:
        """The most probable class of each text, shape [n]."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)

    def metrics(self, held_out: HeldOut, reference: "Measurement") -> dict[str, float]:
        """``accuracy`` and ``macro_f1`` against the labels, ``agreement`` with the reference's
        predictions, ``calibration_error``, and ``batch_difference``.
        """
        return headline(held_out.labels.tolist(), self.predictions.tolist()) | {
            "agreement": float((self.predictions == reference.predictions).mean()),
            "calibration_error": calibration_error(self.probabilities, self.right(held_out)),
            "batch_difference": self.batch_difference,
        }


def measure(
    sessions: Mapping[str, Session],
    layout: Layout,
    held_out: HeldOut,
    progress: Callable[[int, int], None],
) -> dict[str, Measurement]:
    """Run every session over the texts, taking turns batch by batch so that noise hits all alike.

    The first session is the reference. ``progress`` is told, after each batch, how many texts are
    done and how many there are.
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
    alone = _alone(sessions, layout, held_out)
    reference = np.array(next(iter(rates.values())))
    measurements = {}
    for name in sessions:
        rows, (rows_alone, seconds) = np.concatenate(probabilities[name]), alone[name]
        measurements[name] = Measurement(
            probabilities=rows,
            tokens_per_second=float(np.median(rates[name])),
            speedup=float(np.median(np.array(rates[name]) / reference)),
            milliseconds_alone=1e3 * seconds,
            batch_difference=float(np.abs(rows_alone - rows[: len(rows_alone)]).max()),
        )
    return measurements


def _alone(
    sessions: Mapping[str, Session], layout: Layout, held_out: HeldOut
) -> dict[str, tuple[NDArray[np.float32], float]]:
    """Probabilities of the first texts alone, in turn as in ``measure``, and the median seconds."""
    rows: dict[str, list[NDArray[np.float32]]] = {name: [] for name in sessions}
    took: dict[str, list[float]] = {name: [] for name in sessions}
    for text in held_out.encoded[:ALONE_TEXTS]:
        feeds = layout.feeds([text.ids])
        for name, session in sessions.items():
            start = time.perf_counter()
            logits = session.run(feeds)
            took[name].append(time.perf_counter() - start)
            rows[name].append(softmax(logits))
    return {name: (np.concatenate(rows[name]), float(np.median(took[name]))) for name in sessions}


def calibration_error(probabilities: NDArray[np.float32], right: NDArray[np.bool_]) -> float:
    """Expected calibration error of [n, classes] (Guo et al., 2017): how far confidence is from truth.

    The mean, over bins of equal width of the best class's probability weighted by their texts, of the
    difference between that probability and the share of ``right`` [n] answers.
    """
    confidence = probabilities.max(axis=1)
    bins = np.minimum((confidence * CONFIDENCE_BINS).astype(np.int64), CONFIDENCE_BINS - 1)
    gap = np.bincount(bins, weights=confidence - right, minlength=CONFIDENCE_BINS)
    return float(np.abs(gap).sum() / len(right))
