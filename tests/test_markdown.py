"""Tables that survive what their cells hold."""

from strop.bench.grid import Grid, grid_markdown
from strop.markdown import markdown_table

TABLE = "| label | texts |\n| --- | ---: |\n| either\\|or | 1 |\n| two lines | 2 |"
ROWS = [("either|or", "1"), ("two\nlines", "2")]


def test_a_bar_or_a_line_break_in_a_cell_does_not_break_the_table() -> None:
    assert markdown_table(("label", "texts"), ROWS) == TABLE


def test_a_grid_is_such_a_table_under_its_title() -> None:
    grid = Grid("Texts", ("label", "texts"), ROWS, "By label.")
    assert grid_markdown(grid) == f"## Texts\n\n{TABLE}\n\nBy label."
