"""The export report: every variant that was tried, what it is worth, and whether it ships."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.table import Table

from .bundle import Variant
from .gate import Verdict

COLUMNS = (
    *("variant", "MB", "accuracy", "macro-F1", "of fp32", "agree"),
    *("batch", "tokens/s", "verdict"),
)
LEGEND = (
    "agree: share of texts that get fp32's label; batch: how far a probability ever moved"
    " between a text alone and the same text in a batch, over up to 500 texts."
)


@dataclass(frozen=True)
class Candidate:
    """A variant and the gate's word on it."""

    variant: Variant
    verdict: Verdict

    def row(self) -> tuple[str, ...]:
        """Its cells, one for each of ``COLUMNS``."""
        variant = self.variant
        return (
            variant.name,
            f"{variant.bytes / 1e6:.1f}",
            f"{variant.metrics['accuracy']:.4f}",
            f"{variant.metrics['macro_f1']:.4f}",
            f"{variant.share_of_reference:.2%}",
            f"{variant.metrics['agreement']:.2%}",
            f"{variant.metrics['batch_difference']:.2g}",
            f"{variant.tokens_per_second:,.0f}",
            "shipped" if self.verdict.passed else "refused",
        )

    def __str__(self) -> str:
        return f"{self.variant.name}: {self.verdict}"


def table(candidates: Sequence[Candidate]) -> Table:
    """The report for a terminal."""
    result = Table(
        *COLUMNS,
        title="Variants on the held-out split, one thread",
        title_justify="left",
        caption=LEGEND,
        caption_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    for column in result.columns[1:-1]:
        column.justify = "right"
    for candidate in candidates:
        result.add_row(*candidate.row())
    return result
