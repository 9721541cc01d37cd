"""Measure variants on held-out texts: what they get right, how surely, and how fast."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strop.tasks import Example, Floats, Outputs, Tally, Task

from .bundle import BATCH_TOKENS, Encoded, Layout, Runner, by_input, outputs

# Texts that are asked again alone, to see how long that takes and whether the answer is the same.
ALONE_TEXTS = 500
CONFIDENCE_BINS = 15


@dataclass(frozen=True)
class HeldOut:
    """Examples that the model never learnt from, encoded once."""

    task: Task
    labels: tuple[str, ...]
    """The names of the model's outputs."""
    examples: tuple[Example, ...]
    counts: tuple[int, ...]
    """How many inputs each example is."""
    inputs: tuple[Example, ...]
    """All inputs of all examples; a text that is read in several windows stands there for each."""
    encoded: tuple[Encoded, ...]
    """The same as tokens."""

    def first(self, count: int) -> "HeldOut":
        """Only the first ``count`` examples."""
        counts = self.counts[:count]
        inputs = slice(sum(counts))
        return HeldOut(
            self.task, self.labels, self.examples[:count], counts, self.inputs[inputs], self.encoded[inputs]
        )

    def tally(self, found: Outputs) -> Tally:
        """What each example adds to the score of a variant that gave these outputs, [n, counts]."""
        return self.task.tally(*self.by_example(found), self.examples, self.labels)

    def scored(self, outputs: Outputs, start: int) -> Outputs:
        """What is kept to score the outputs of the inputs from ``start`` on."""
        return self.task.scored(outputs, self.inputs[start : start + len(outputs)])

    def by_example(self, found: Outputs) -> tuple[Any, Any]:
        """Outputs and offsets of the inputs, as ``Task.tally`` wants them."""
        offsets = [one.offsets for one in self.encoded]
        of_examples = self.task.of_examples
        return of_examples(found, self.counts), of_examples(offsets, self.counts)


@dataclass(frozen=True)
class Measurement:
    """What one variant did on the held-out split."""

    outputs: Outputs
    """The task's output for each input, in the split's order, or what of it is scored."""
    golden: Mapping[int, Floats]
    """What a server would tell of some of the inputs, by their places."""
    tokens_per_second: float
    """Median over batches, one thread, padding not counted."""
    speedup: float
    """Tokens per second over the reference's, the median over batches that both computed in turn."""
    milliseconds_alone: float
    """Median for a text alone, one thread."""
    batch_difference: float
    """Largest absolute difference of an output between a text alone and in its batch."""

    def metrics(self, held_out: HeldOut, reference: "Measurement") -> dict[str, float]:
        """The task's metrics, ``agreement`` with the reference's answers, ``batch_difference`` and,
        where an output is the probabilities of one of the labels for a text, ``calibration_error``.
        """
        task, totals = held_out.task, held_out.tally(self.outputs).sum(axis=0)
        metrics = {name: float(value) for name, value in task.score(totals).items()}
        metrics["agreement"] = task.agreement(self.outputs, reference.outputs)
        metrics["batch_difference"] = self.batch_difference
        if task.one_choice and not task.per_token and held_out.labels:
            rows = np.asarray(self.outputs)
            truths = [task.target(example, (), held_out.labels) for example in held_out.examples]
            metrics["calibration_error"] = calibration_error(rows, rows.argmax(axis=1) == truths)
        return metrics


def measure(
    sessions: Mapping[str, Runner],
    layout: Layout,
    held_out: HeldOut,
    progress: Callable[[int, int], None],
    golden: Collection[int] = (),
) -> dict[str, Measurement]:
    """Run every session over the texts, taking turns batch by batch so that noise hits all alike.

    The first session is the reference. ``progress`` is told, after each batch, how many texts are
    done and how many there are; ``golden`` are places of inputs of which is kept what a server would
    tell.
    """
    task = held_out.task
    found: dict[str, list[Floats]] = {name: [] for name in sessions}
    kept: dict[str, dict[int, Floats]] = {name: {} for name in sessions}
    rates: dict[str, list[float]] = {name: [] for name in sessions}
    done = 0
    for batch in layout.batches([text.ids for text in held_out.encoded], BATCH_TOKENS):
        feeds, tokens = layout.feeds(batch), sum(map(len, batch))
        for name, session in sessions.items():
            start = time.perf_counter()
            logits = session.run(feeds)
            rates[name].append(tokens / (time.perf_counter() - start))
            rows = by_input(task, layout, task.activate(logits), batch)
            found[name].extend(held_out.scored(rows, done))
            if chosen := [place for place in golden if done <= place < done + len(batch)]:
                answers = task.told(rows)
                kept[name] |= {place: answers[place - done] for place in chosen}
        done += len(batch)
        progress(done, len(held_out.encoded))
    alone = _alone(sessions, layout, held_out)
    reference = np.array(next(iter(rates.values())))
    measurements = {}
    for name in sessions:
        rows_alone, seconds = alone[name]
        measurements[name] = Measurement(
            outputs=found[name],
            golden=kept[name],
            tokens_per_second=float(np.median(rates[name])),
            speedup=float(np.median(np.array(rates[name]) / reference)),
            milliseconds_alone=1e3 * seconds,
            batch_difference=largest_difference(rows_alone, found[name][: len(rows_alone)]),
        )
    return measurements


def _alone(
    sessions: Mapping[str, Runner], layout: Layout, held_out: HeldOut
) -> dict[str, tuple[list[Floats], float]]:
    """Outputs of the first texts alone, in turn as in ``measure``, and the median seconds."""
    rows: dict[str, list[Floats]] = {name: [] for name in sessions}
    took: dict[str, list[float]] = {name: [] for name in sessions}
    for place, text in enumerate(held_out.encoded[:ALONE_TEXTS]):
        for name, session in sessions.items():
            start = time.perf_counter()
            answers = outputs(session, layout, held_out.task, [text.ids])
            took[name].append(time.perf_counter() - start)
            rows[name].extend(held_out.scored(answers, place))
    return {name: (rows[name], float(np.median(took[name]))) for name in sessions}


def largest_difference(found: Outputs, wanted: Outputs) -> float:
    """The largest absolute difference of any output."""
    return max(float(np.abs(ours - theirs).max()) for ours, theirs in zip(found, wanted, strict=True))


def calibration_error(probabilities: Floats, right: NDArray[np.bool_]) -> float:
    """Expected calibration error of [n, classes] (Guo et al., 2017): how far confidence is from truth.

    The mean, over bins of equal width of the best class's probability weighted by their texts, of the
    difference between that probability and the share of ``right`` [n] answers.
    """
    confidence = probabilities.max(axis=1)
    bins = np.minimum((confidence * CONFIDENCE_BINS).astype(np.int64), CONFIDENCE_BINS - 1)
    gap = np.bincount(bins, weights=confidence - right, minlength=CONFIDENCE_BINS)
    return float(np.abs(gap).sum() / len(right))
