"""A table of ready text, in the terminal and in Markdown, and how its numbers are written."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from strop.markdown import markdown_table

from .confidence import Interval


@dataclass(frozen=True)
class Grid:
    """A table of ready text; the first column is read from the left, the others are numbers."""

    title: str
    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    note: str = ""
    narrow: bool = True
    """Whether every number is short enough to stand on one line."""


def show_grid(grid: Grid, console: Console) -> None:
    """Print one table."""
    table = Table(
        title=grid.title,
        title_justify="left",
        caption=grid.note or None,
        caption_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    for number, name in enumerate(grid.header):
        # Where there is no room the first one folds: a number without its end is another number.
        if number:
            table.add_column(name, justify="right", no_wrap=grid.narrow)
        else:
            table.add_column(name, overflow="fold")
    for row in grid.rows:
        table.add_row(*row)
    console.print(table)


def grid_markdown(grid: Grid) -> str:
    """One table as Markdown, under its title."""
    table = markdown_table(grid.header, grid.rows)
    return "\n\n".join([f"## {grid.title}", table, *([grid.note] if grid.note else [])])


def ms(seconds: float | None) -> str:
    """A time in milliseconds."""
    return "n/a" if seconds is None else digits(seconds * 1e3)


def between(interval: Interval) -> str:
    """The bounds of a time, in milliseconds."""
    low, high = interval
    return f"{ms(low)} – {ms(high)}"


def joules(energy: float | None) -> str:
    """An energy in joules."""
    return "n/a" if energy is None else f"{energy:.3g}"


def digits(value: float) -> str:
    """At least three digits, at most two of them behind the point."""
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2}f}"


def dollars(amount: float | None) -> str:
    """An amount in US dollars."""
    if amount is None:
        return "n/a"
    return f"${amount:.3g}" if amount < 100 else f"${amount:,.0f}"
