"""``strop bench compare`` and ``strop bench gate``: two reports read, held side by side, and judged."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from strop.errors import InputError, StropError

from ..grid import Grid, show_grid
from ..saved import SavedReport
from .config import CompareConfig, GateConfig
from .figures import Figure, figures, require_alike, unlike_settings


def compare(config: CompareConfig) -> None:
    """Show both; raises ``InputError`` for files that are no reports, or unlike."""
    before, after, found = _read(config.before, config.after, unlike=config.unlike_machines)
    console = Console()
    show_grid(_grid(before, after, found), console)
    for difference in unlike_settings(before, after):
        console.print(f"warning: {difference}", style="yellow", markup=False)


def gate(config: GateConfig) -> None:
    """A line for each figure that got worse by more than allowed, and then ``StropError``.

    Raises ``InputError`` for files that are no reports, or unlike.
    """
    before, after, found = _read(config.against, config.report, unlike=config.unlike_machines)
    judged = [figure for figure in found if figure.gated]
    worse = [figure for figure in judged if figure.worse(config.allowed)]
    console = Console()
    for figure in worse:
        console.print(_line(figure), style="red", markup=False, soft_wrap=True)
    for difference in unlike_settings(before, after):
        console.print(f"warning: {difference}", style="yellow", markup=False, soft_wrap=True)
    if worse:
        raise StropError(
            f"{len(worse)} of {len(judged)} figures of {config.report} are worse than in {config.against}"
            f" by more than {100 * config.allowed:.3g} % of what they were"
        )
    console.print(f"none of {len(judged)} figures is worse by more than {config.max_regression}")


def _read(one: Path, other: Path, *, unlike: bool) -> tuple[SavedReport, SavedReport, Sequence[Figure]]:
    before, after = SavedReport.read(one), SavedReport.read(other)
    try:
        if not unlike:
            require_alike(before, after)
        return before, after, figures(before, after)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{one} ({before['schema']}) and {other} ({after['schema']}) are not of one form:"
            f" {error!r}; bench again with this Strop"
        ) from error


def _grid(before: SavedReport, after: SavedReport, rows: Sequence[Figure]) -> Grid:
    return Grid(
        "What changed",
        ("figure", "unit", "before", "after", "difference", "ratio"),
        [
            (
                figure.name,
                figure.unit,
                _number(figure.before),
                _number(figure.after),
                "–"
                if figure.before is None or figure.after is None
                else f"{figure.after - figure.before:+.4g}",
                "–" if figure.ratio is None else f"{figure.ratio:.3f} ×",
            )
            for figure in rows
        ],
        f"Before: {before.path.name}; after: {after.path.name}. One run each: what two runs of the same"
        " code differ by is not told here.",
        narrow=False,
    )


def _line(figure: Figure) -> str:
    change = "" if figure.ratio is None else f", {figure.ratio - 1:+.1%}"
    unit = f" {figure.unit}" if figure.unit else ""
    return f"worse: {figure.name} was {_number(figure.before)}, is {_number(figure.after)}{unit}{change}"


def _number(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.4g}"
