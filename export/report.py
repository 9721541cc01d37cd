"""The export report: every variant that was tried, what it is worth, and whether it ships."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure
from rich.box import SIMPLE_HEAD
from rich.table import Table

from strop.host import usable_cores

from .bundle import Variant
from .gate import Verdict
from .recipe import REFERENCE
from .search import Trial, pareto

REPORT_FILE = "report.md"
PARETO_FILE = "pareto.png"
VARIANTS = ("variant", "MB", "accuracy", "of fp32", "agree", "× fp32", "ms", "$/M", "verdict")
TRIALS = ("recipe", "MB", "peak MB", "accuracy", "of fp32", "agree", "ECE", "× fp32", "ms", "made in")
LEGEND = (
    "agree: share of texts that get fp32's label; × fp32: tokens per second over fp32's, one thread, in"
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
    texts: int
    """Held-out texts."""
    tokens_per_text: float
    gate: float
    price_per_hour: float | None
    """US dollars."""
    trials: Sequence[Trial] = ()
    """What a search measured on the validation split."""

    def table(self) -> Table:
        """The variants for a terminal."""
        result = Table(
            *VARIANTS,
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
            f" variant with less than {self.gate:.2%} of fp32's accuracy is not in the bundle. {LEGEND}",
            "",
            *_markdown_table(VARIANTS, map(self._row, self.candidates)),
            "",
            *(f"- {candidate}" for candidate in self.candidates),
        ]
        if self.trials:
            lines += [
                "",
                "## Search",
                "",
                "Every recipe that was tried, on the validation split, so that the test split has no part"
                " in the choice. What nothing else beats in both accuracy and cost went on to the gate."
                " ECE: expected calibration error; peak MB: memory that loading it and computing a batch"
                " took.",
                "",
                *_markdown_table(TRIALS, map(_trial_row, sorted(self.trials, key=lambda one: one.cost))),
                "",
                f"![accuracy against cost]({PARETO_FILE})",
            ]
        return "\n".join(lines) + "\n"

    def _row(self, candidate: Candidate) -> tuple[str, ...]:
        variant = candidate.variant
        return (
            variant.name,
            f"{variant.bytes / 1e6:.1f}",
            f"{variant.metrics['accuracy']:.4f}",
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
        texts_per_hour = 3600 * usable_cores() * variant.tokens_per_second / self.tokens_per_text
        return f"{1e6 * self.price_per_hour / texts_per_hour:.4f}"


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


def _trial_row(trial: Trial) -> tuple[str, ...]:
    return (
        trial.recipe,
        f"{trial.bytes / 1e6:.1f}",
        f"{trial.peak_bytes / 1e6:.0f}",
        f"{trial.accuracy:.4f}",
        f"{trial.share:.2%}",
        f"{trial.agreement:.2%}",
        f"{trial.calibration_error:.3f}",
        f"{trial.speedup:.2f}",
        f"{trial.milliseconds_alone:.2f}",
        f"{trial.seconds:.0f} s",
    )


def _markdown_table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (header, ("---",) * len(header), *rows)]
