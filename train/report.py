"""The report of a run: how good it is by class, and how far above what costs nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from .cost import TrainingCost
from .plots import CONFUSION_MATRIX, LOSS_CURVE
from .scores import Scores

REPORT_FILE = "report.md"
CLASS_COLUMNS = ("class", "precision", "recall", "F1", "texts")
MODEL_COLUMNS = ("test split", "accuracy", "macro-F1", "ahead by")


@dataclass(frozen=True)
class Report:
    """What a finished run is worth."""

    method: str
    validation: Scores
    test: Scores
    baselines: Mapping[str, Mapping[str, float]]
    """``accuracy`` and ``macro_f1`` on the test split."""
    cost: TrainingCost

    def class_rows(self) -> list[tuple[str, ...]]:
        """Cells for ``CLASS_COLUMNS``, on the test split."""
        return [
            (one.label, *(f"{x:.3f}" for x in (one.precision, one.recall, one.f1)), str(one.support))
            for one in self.test.classes
        ]

    def model_rows(self) -> list[tuple[str, ...]]:
        """Cells for ``MODEL_COLUMNS``: the model, then each baseline and the model's lead on it."""
        own = (f"this run ({self.method})", f"{self.test.accuracy:.4f}", f"{self.test.macro_f1:.4f}", "")
        return [own, *(self._baseline_row(name) for name in self.baselines)]

    def _baseline_row(self, name: str) -> tuple[str, ...]:
        accuracy, macro_f1 = self.baselines[name]["accuracy"], self.baselines[name]["macro_f1"]
        lead = f"{self.test.accuracy - accuracy:+.4f} / {self.test.macro_f1 - macro_f1:+.4f}"
        return (name, f"{accuracy:.4f}", f"{macro_f1:.4f}", lead)

    def tables(self) -> list[Table]:
        """For a terminal."""
        tables = [Table(*CLASS_COLUMNS), Table(*MODEL_COLUMNS)]
        for table, rows in zip(tables, (self.class_rows(), self.model_rows()), strict=True):
            for column in table.columns[1:]:
                column.justify = "right"
            for row in rows:
                table.add_row(*row)
        return tables

    def markdown(self, settings: Mapping[str, Any]) -> str:
        """For the run directory, with the pictures that lie beside it."""
        validation = f"{self.validation.accuracy:.4f}, macro-F1 {self.validation.macro_f1:.4f}"
        lines = [
            f"# {Path(settings['out']).name}",
            "",
            f"{Path(settings['model']).name} fine-tuned on {Path(settings['data']).name}. On the",
            f"validation split, which chose the checkpoint: accuracy {validation}.",
            f"{self.cost}.",
            "",
            *_markdown_table(MODEL_COLUMNS, self.model_rows()),
            "",
            *_markdown_table(CLASS_COLUMNS, self.class_rows()),
            "",
            f"![Loss curve]({LOSS_CURVE})",
            "",
            f"![Confusion matrix of the test split]({CONFUSION_MATRIX})",
            "",
            *_markdown_table(("option", "value"), [(name, str(value)) for name, value in settings.items()]),
        ]
        return "\n".join(lines) + "\n"


def _markdown_table(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    cells = (columns, ("---",) * len(columns), *rows)
    escaped = ([cell.replace("|", r"\|").replace("\n", " ") for cell in row] for row in cells)
    return [f"| {' | '.join(row)} |" for row in escaped]
