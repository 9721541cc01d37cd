"""The picture of a search."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from .recipe import REFERENCE
from .search import Trial, pareto

PARETO_FILE = "pareto.png"


def draw_pareto(path: Path, trials: Sequence[Trial], gate: float) -> None:
    """Accuracy against cost: every trial a point with its name, the front a line, the gate another."""
    figure = Figure(figsize=(8, 5.5), layout="constrained")
    axes = figure.subplots()
    front = pareto(trials)
    reference = next(trial for trial in trials if trial.recipe == REFERENCE)
    axes.axhline(
        gate * reference.accuracy, color="tab:red", linestyle="--", label=f"gate, {gate:.0%} of fp32"
    )
    axes.plot([one.cost for one in front], [one.accuracy for one in front], "o-", label="not beaten")
    beaten = [trial for trial in trials if trial not in front]
    axes.plot(
        [one.cost for one in beaten], [one.accuracy for one in beaten], "o", color="0.6", label="beaten"
    )
    for trial in trials:
        axes.annotate(
            trial.recipe,
            (trial.cost, trial.accuracy),
            xytext=(4, 4),
            textcoords="offset points",
            fontsize=7,
        )
    axes.set(xlabel="cost of a text, fp32 = 1", ylabel="accuracy on the validation split", xlim=(0, None))
    axes.margins(x=0.15)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=120)
