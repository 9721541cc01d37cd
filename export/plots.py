"""The picture of a search."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from .recipe import REFERENCE
from .search import Trial, pareto

PARETO_FILE = "pareto.png"


def draw_pareto(path: Path, trials: Sequence[Trial], metric: str, gate: float) -> None:
    """The task's ``metric`` against cost: a named point for each trial, the front and the gate as lines."""
    figure = Figure(figsize=(8, 5.5), layout="constrained")
    axes = figure.subplots()
    front = pareto(trials)
    reference = next(trial for trial in trials if trial.recipe == REFERENCE)
    axes.axhline(gate * reference.score, color="tab:red", linestyle="--", label=f"gate, {gate:.0%} of fp32")
    axes.plot([one.cost for one in front], [one.score for one in front], "o-", label="not beaten")
    beaten = [trial for trial in trials if trial not in front]
    axes.plot([one.cost for one in beaten], [one.score for one in beaten], "o", color="0.6", label="beaten")
    for number, trial in enumerate(sorted(trials, key=lambda one: (one.score, one.cost))):
        axes.annotate(
            trial.recipe,
            (trial.cost, trial.score),
            # Neighbours in score are often neighbours in cost: their names go to different sides.
            xytext=(4, 4 if number % 2 else -10),
            textcoords="offset points",
            fontsize=7,
        )
    axes.set(xlabel="cost of a text, fp32 = 1", ylabel=f"{metric} on the validation split", xlim=(0, None))
    axes.margins(x=0.15)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=120)
