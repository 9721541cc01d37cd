"""How a table of ready text is shown."""

import io

from rich.console import Console

from strop.bench.grid import Grid, show_grid


def test_a_name_folds_before_a_number_loses_its_end() -> None:
    header = ("machine", "rate/s", "$/hour", "machines", "in use", "$/million", "if full", "J")
    row = ("jetson-orin-nano-super", "58.8", "0.0131", "1", "34.0%", "$0.182", "$0.062", "0.425")
    console = Console(file=io.StringIO(), width=80)
    show_grid(Grid("", header, [row]), console)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "…" not in shown
    assert all(word in shown.split() for word in row[1:])
