"""The pictures of a run: loss curve and confusion matrix."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .scores import Scores, title

LOSS_CURVE = "loss_curve.png"
CONFUSION_MATRIX = "confusion_matrix.png"
MANY_CLASSES = 20
SMOOTHED = 10
"""Logged steps in the running mean of the training loss, at most."""


def draw_loss_curve(path: Path, history: Sequence[Mapping[str, Any]], metrics: Sequence[str]) -> None:
    """Training and validation loss above the validation scores of these metrics, by step."""
    figure = Figure(figsize=(7, 6), layout="constrained")
    losses, scores = figure.subplots(2, 1, sharex=True)
    train = [(row["step"], row["loss"]) for row in history if "loss" in row]
    steps = [step for step, _ in train]
    window = max(1, min(SMOOTHED, len(train) // 5))
    smooth = [
        float(np.mean([loss for _, loss in train[max(0, end - window) : end]]))
        for end in range(1, len(train) + 1)
    ]
    losses.plot(steps, [loss for _, loss in train], color="tab:blue", alpha=0.3, linewidth=1)
    losses.plot(steps, smooth, color="tab:blue", label="training, running mean")
    found = [row for row in history if "validation_loss" in row]
    at = [row["step"] for row in found]
    losses.plot(at, [row["validation_loss"] for row in found], "o-", color="tab:orange", label="validation")
    losses.set(ylabel="loss", ylim=(0, None))
    for name in metrics:
        scores.plot(at, [row[f"validation_{name}"] for row in found], "o-", label=title(name))
    scores.set(xlabel="step", ylabel="validation score")
    for axes in (losses, scores):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=120)


def draw_confusion_matrix(path: Path, scores: Scores, labels: Sequence[str]) -> None:
    """Shares of each true class; the counts are written in where they can be read."""
    counts = np.array(scores.confusion)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = min(4 + 0.5 * len(labels), 16)
    figure = Figure(figsize=(size + 1, size), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, label="share of the true class", shrink=0.8)
    ticks = range(len(labels))
    axes.set_xticks(ticks, labels, rotation=45, ha="right", rotation_mode="anchor", parse_math=False)
    axes.set_yticks(ticks, labels, parse_math=False)
    axes.set(xlabel="predicted", ylabel="true")
    if len(labels) <= MANY_CLASSES:
        for (row, column), count in np.ndenumerate(counts):
            colour = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=colour)
    with warnings.catch_warnings():
        # A script that the font lacks shows as boxes; the report beside it has the names.
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        figure.savefig(path, dpi=120)
