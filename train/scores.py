"""How good predictions are: accuracy, F1 by class, confusion matrix."""

from collections.abc import Sequence
from dataclasses import dataclass

from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    precision_recall_fscore_support,
)


@dataclass(frozen=True)
class ClassScores:
    """One class."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int
    """Examples of it."""


@dataclass(frozen=True)
class Scores:
    """Predictions on one split against the truth."""

    accuracy: float
    macro_f1: float
    """Mean F1 of the classes that are in the truth or in the predictions."""
    classes: tuple[ClassScores, ...]
    confusion: tuple[tuple[int, ...], ...]
    """Counts [true class, predicted class]."""

    @classmethod
    def of(cls, truth: Sequence[int], predicted: Sequence[int], labels: Sequence[str]) -> "Scores":
        """Score class ids; a class that is never predicted has precision 0."""
        ids = range(len(labels))
        columns = precision_recall_fscore_support(truth, predicted, labels=ids, zero_division=0.0)
        return cls(
            **headline(truth, predicted),
            classes=tuple(
                ClassScores(label, float(p), float(r), float(f1), int(support))
                for label, p, r, f1, support in zip(labels, *columns, strict=True)
            ),
            confusion=tuple(tuple(map(int, row)) for row in confusion_matrix(truth, predicted, labels=ids)),
        )


def headline(truth: Sequence[int], predicted: Sequence[int]) -> dict[str, float]:
    """``accuracy`` and ``macro_f1`` of class ids."""
    return {
        "accuracy": float(accuracy_score(truth, predicted)),
        "macro_f1": float(f1_score(truth, predicted, average="macro", zero_division=0.0)),
    }
