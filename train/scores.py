"""How good a model's outputs are on a split: its task's metrics, each label's, and the confusions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from strop.tasks import Example, LabelScores, Task

_PROPER = {"spearman": "Spearman", "pearson": "Pearson", "mse": "MSE"}


def title(metric: str) -> str:
    """A metric's name as people write it."""
    if metric in _PROPER:
        return _PROPER[metric]
    return metric.replace("_f1", "-F1").replace("f1", "F1").replace("_at_", "@").replace("_", " ")


def ahead(scores: Mapping[str, Any], others: Mapping[str, float], lower_is_better: Sequence[str]) -> float:
    """How far ``scores`` are ahead of others by the metric that stands first, the task's own."""
    metric = next(iter(scores))
    return float(scores[metric] - others[metric]) * (-1 if metric in lower_is_better else 1)


def unbeaten(
    scores: Mapping[str, Any], baselines: Mapping[str, Mapping[str, float]], lower_is_better: Sequence[str]
) -> list[str]:
    """The baselines that ``scores`` are not ahead of."""
    return [name for name, theirs in baselines.items() if not ahead(scores, theirs, lower_is_better) > 0]


@dataclass(frozen=True)
class Scores:
    """Outputs on one split against the truth."""

    metrics: Mapping[str, float]
    """By name, in the task's order."""
    labels: tuple[LabelScores, ...]
    """Of each label; empty for a task without."""
    confusion: tuple[tuple[int, ...], ...]
    """Counts [true class, predicted class]; empty where a text has not just one class."""

    @classmethod
    def of(
        cls,
        task: Task,
        outputs: Any,
        offsets: Any,
        examples: Sequence[Example],
        labels: Sequence[str],
    ) -> Self:
        """Score the outputs of ``examples`` as ``Task.tally`` wants them, with their tokens' offsets."""
        totals = task.tally(outputs, offsets, examples, labels).sum(axis=0)
        return cls(
            {name: float(value) for name, value in task.score(totals).items()},
            tuple(task.label_scores(totals, labels)),
            task.confusion(outputs, examples, labels),
        )

    def as_json(self) -> dict[str, Any]:
        """For metrics.json: the metrics by name, then the rest."""
        rest = {"labels": [one._asdict() for one in self.labels], "confusion": self.confusion}
        return {**self.metrics, **{name: value for name, value in rest.items() if value}}
