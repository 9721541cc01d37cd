"""The export report: every variant that was tried, what it is worth, and whether it ships."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.table import Table

from strop.cost import dollars_per_million
from strop.host import usable_cores
from strop.markdown import Row, markdown_table

from .bundle import Variant
from .gate import Verdict
from .plots import PARETO_FILE
from .search import Trial

REPORT_FILE = "report.md"
LEGEND = (
    "agree: share of answers like fp32's; × fp32: tokens per second over fp32's, one thread, in"
    " batches; ms: a text alone; $/M: a million texts with every core computing, at --price-per-hour."
)


@dataclass(frozen=True)
class Candidate:
    """A variant and the gate's word on it."""

    variant: Variant
    verdict: Verdict

    def __str__(self) -> str:
        return f"{self.variant.name}: {self.verdict}"


@dataclass(frozen=True)
class Report:
    """What an export found."""

    name: str
    """Of the bundle."""
    candidates: Sequence[Candidate]
    """What the gate judged on the held-out split, the reference first."""
    metric: str
    """What the gate goes by."""
    texts: int
    """Held-out texts."""
    tokens_per_text: float
    gate: float
    price_per_hour: float | None
    """US dollars."""
    caveat: str | None = None
    """What makes even the reference worth little."""
    trials: Sequence[Trial] = ()
    """What a search measured on the validation split."""

    def table(self) -> Table:
        """The variants for a terminal."""
        result = Table(
            *self._columns,
            title="Variants on the held-out split",
            title_justify="left",
            caption=LEGEND,
            caption_justify="left",
            box=SIMPLE_HEAD,
            pad_edge=False,
            collapse_padding=True,
        )
        result.columns[0].no_wrap = True
        for column in result.columns[1:-1]:
            column.justify = "right"
        for candidate in self.candidates:
            result.add_row(*self._row(candidate))
        return result

    def markdown(self) -> str:
        """All of it for the bundle."""
        lines = [
            f"# {self.name}",
            "",
            f"Measured on {self.texts} held-out texts of {self.tokens_per_text:.0f} tokens on average. A"
            f" variant with less than {self.gate:.2%} of fp32's {self.metric} is not in the bundle."
            f" {LEGEND}",
            "",
            markdown_table(self._columns, map(self._row, self.candidates)),
            "",
            *(f"- {candidate}" for candidate in self.candidates),
            *([f"- warning: {self.caveat}"] if self.caveat else []),
        ]
        for candidate in self.candidates:
            lines += _sensitivities(candidate.variant)
            if candidate.variant.sparsity:
                lines += ["", f"{candidate.variant.name} is {candidate.variant.sparsity}."]
        if self.trials:
            lines += [
                "",
                "## Search",
                "",
                "Every recipe that was tried, on the validation split, so that the test split has no part"
                f" in the choice. What nothing else beats in both {self.metric} and cost went on to the"
                " gate. Peak MB: memory that loading it and computing a batch took.",
                "",
                markdown_table(
                    self._trial_columns, map(_trial_row, sorted(self.trials, key=lambda one: one.cost))
                ),
                "",
                f"![{self.metric} against cost]({PARETO_FILE})",
            ]
        return "\n".join(lines) + "\n"

    @property
    def _columns(self) -> Row:
        return ("variant", "MB", self.metric, "of fp32", "agree", "× fp32", "ms", "$/M", "verdict")

    @property
    def _trial_columns(self) -> Row:
        columns = ("recipe", "MB", "peak MB", self.metric, "of fp32", "95 %", "agree", "× fp32", "ms")
        return (*columns, "made in")

    def _row(self, candidate: Candidate) -> Row:
        variant = candidate.variant
        return (
            variant.name,
            f"{variant.bytes / 1e6:.1f}",
            f"{variant.metrics[self.metric]:.4f}",
            f"{variant.share_of_reference:.2%}",
            f"{variant.metrics['agreement']:.2%}",
            f"{variant.speedup:.2f}",
            f"{variant.milliseconds_alone:.2f}",
            self._dollars(variant),
            "shipped" if candidate.verdict.passed else "refused",
        )

    def _dollars(self, variant: Variant) -> str:
        if self.price_per_hour is None:
            return "-"
        texts_per_second = usable_cores() * variant.tokens_per_second / self.tokens_per_text
        return f"{dollars_per_million(self.price_per_hour, texts_per_second, 1.0):.4f}"


def _sensitivities(variant: Variant) -> list[str]:
    """What int8 costs in each family of layers, where the variant's form has measured it."""
    if "sensitivities" not in variant.facts:
        return []
    costs: dict[str, float] = json.loads(variant.facts["sensitivities"])
    kept = json.loads(variant.facts["fp32"])
    rows = [
        (name, f"{cost:.2e}", "fp32" if name in kept else "int8")
        for name, cost in sorted(costs.items(), key=lambda item: -item[1])
    ]
    return [
        "",
        f"## What int8 costs, layer by layer ({variant.name})",
        "",
        "The divergence from fp32's probabilities, in nats on the calibration texts, when these layers and"
        " the embeddings alone are in int8.",
        "",
        markdown_table(("layers", "nats", "left in"), rows),
    ]


def _trial_row(trial: Trial) -> Row:
    return (
        trial.recipe,
        f"{trial.bytes / 1e6:.1f}",
        f"{trial.peak_bytes / 1e6:.0f}",
        f"{trial.score:.4f}",
        f"{trial.share:.2%}",
        " – ".join(f"{bound:.1%}" for bound in trial.interval),
        f"{trial.agreement:.2%}",
        f"{trial.speedup:.2f}",
        f"{trial.milliseconds_alone:.2f}",
        f"{trial.seconds:.0f} s",
    )
