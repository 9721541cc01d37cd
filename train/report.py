"""The report of a run: how good it is by label, and how far above what costs nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from strop.markdown import Row, markdown_table
from strop.options import all_as_typed

from .cost import TrainingCost
from .device import Arithmetic
from .plots import CONFUSION_MATRIX, LOSS_CURVE
from .scores import Scores, ahead, title, unbeaten

REPORT_FILE = "report.md"
LABEL_COLUMNS = ("label", "precision", "recall", "F1", "support")


@dataclass(frozen=True)
class Beside:
    """The model's scores on other texts than the test split as it is."""

    texts: str
    """Which."""
    metrics: Mapping[str, float]
    reference: str
    """What they are compared with."""
    reference_metrics: Mapping[str, float]
    note: str = ""
    """How the change is called, and by whom."""

    @property
    def change(self) -> dict[str, float]:
        """By metric, against the reference."""
        return {name: value - self.reference_metrics[name] for name, value in self.metrics.items()}

    def row(self) -> tuple[str, ...]:
        """Cells for ``Report.beside_columns``."""
        change = next(iter(self.change.values()))
        return (self.texts, *_figures(self.metrics), self.reference, f"{change:+.4f}")


@dataclass(frozen=True)
class Report:
    """What a finished run is worth."""

    method: str
    validation: Scores
    test: Scores
    baselines: Mapping[str, Mapping[str, float]]
    """The same metrics on the test split."""
    cost: TrainingCost
    lower_is_better: Sequence[str] = ()
    """The metrics that measure errors."""
    beside: Mapping[str, Beside] = field(default_factory=dict)
    """What else the model was asked, by name."""
    warnings: tuple[str, ...] = ()
    """What makes a score too good."""
    learnt_in: Arithmetic = "fp32"
    """The numbers of training and of its own validation scores; all scores here are in fp32."""

    @property
    def model_columns(self) -> Row:
        """What ``model_rows`` has cells for."""
        return ("test split", *map(title, self.test.metrics), f"ahead in\n{self._judged_by}")

    @property
    def _judged_by(self) -> str:
        return title(next(iter(self.test.metrics)))

    def label_rows(self) -> list[Row]:
        """Cells for ``LABEL_COLUMNS``, on the test split."""
        return [
            (one.label, *(f"{x:.3f}" for x in (one.precision, one.recall, one.f1)), str(one.support))
            for one in self.test.labels
        ]

    def model_rows(self) -> list[Row]:
        """The model, then each baseline and by how much the model is ahead of it."""
        own = (f"this run ({self.method})", *_figures(self.test.metrics), "")
        return [own, *(self._baseline_row(name) for name in self.baselines)]

    @property
    def behind(self) -> list[str]:
        """The baselines that the model has not beaten, by the metric that the task is judged by."""
        return unbeaten(self.test.metrics, self.baselines, self.lower_is_better)

    def _baseline_row(self, name: str) -> Row:
        metrics = self.baselines[name]
        lead = ahead(self.test.metrics, metrics, self.lower_is_better)
        return (name, *_figures(metrics), f"{lead:+.4f}")

    @property
    def beside_columns(self) -> tuple[str, ...]:
        """What the rows of ``beside`` have cells for."""
        return ("this run on", *map(title, self.test.metrics), "against", f"change of\n{self._judged_by}")

    def tables(self) -> list[Table]:
        """For a terminal."""
        tables = []
        for columns, rows in (
            (LABEL_COLUMNS, self.label_rows()),
            (self.model_columns, self.model_rows()),
            (self.beside_columns, [one.row() for one in self.beside.values()]),
        ):
            if rows:
                table = Table(*columns, box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
                for column in table.columns[1:]:
                    column.justify = "right"
                for row in rows:
                    table.add_row(*row)
                tables.append(table)
        return tables

    def markdown(self, settings: Mapping[str, Any]) -> str:
        """For the run directory, with the pictures that lie beside it."""
        validation = ", ".join(
            f"{title(name)} {value:.4f}" for name, value in self.validation.metrics.items()
        )
        start = f", as {Path(settings['from_']).name} left it," if settings["from_"] else ""
        labels = [markdown_table(LABEL_COLUMNS, self.label_rows()), ""] if self.test.labels else []
        beside = markdown_table(self.beside_columns, [one.row() for one in self.beside.values()])
        matrix = f"![Confusion matrix of the test split]({CONFUSION_MATRIX})"
        lines = [
            f"# {Path(settings['out']).name}",
            "",
            f"{Path(settings['model']).name}{start} fine-tuned on {Path(settings['data']).name}. On the",
            f"validation split, which chose the checkpoint: {validation}.",
            *([_in_other_numbers(self.learnt_in)] if self.learnt_in != "fp32" else []),
            f"{self.cost}.",
            "",
            markdown_table(self.model_columns, self.model_rows()),
            "",
            *([beside, ""] if self.beside else []),
            *(f"{one.note}\n" for one in self.beside.values() if one.note),
            *(f"- {warning}" for warning in self.warnings),
            *([""] if self.warnings else []),
            *labels,
            f"![Loss curve]({LOSS_CURVE})",
            "",
            *([matrix, ""] if self.test.confusion else []),
            markdown_table(("option", "value"), all_as_typed(settings).items()),
        ]
        return "\n".join(lines) + "\n"


def _in_other_numbers(learnt_in: Arithmetic) -> str:
    return (
        "All scores here are in fp32, in which it is exported; those that were told as it learnt, and chose"
        f" the checkpoint, were in {learnt_in} and may differ."
    )


def _figures(metrics: Mapping[str, float]) -> list[str]:
    return [f"{value:.4f}" for value in metrics.values()]
