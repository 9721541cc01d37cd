"""Tables as Markdown, for the pages of a run, of a bundle and of a benchmark."""

from collections.abc import Iterable

Row = tuple[str, ...]


def markdown_table(header: Row, rows: Iterable[Row]) -> str:
    """A Markdown table; its first column is read from the left, the others are numbers."""
    rules = ("---", *["---:"] * (len(header) - 1))
    escaped = (
        [cell.replace("|", r"\|").replace("\n", " ") for cell in row] for row in (header, rules, *rows)
    )
    return "\n".join(f"| {' | '.join(row)} |" for row in escaped)
