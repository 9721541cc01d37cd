"""What the data commands print."""

from collections import Counter

from rich.console import Console

LISTED_CLASSES = 10


def console(*, stderr: bool = False) -> Console:
    """Prints a line as it is, whatever a path or a class name holds."""
    return Console(stderr=stderr, soft_wrap=True, highlight=False, markup=False, emoji=False)


def class_summary(counts: Counter[str]) -> str:
    """How many rows each class has, or the least and most where there are many classes."""
    if len(counts) > LISTED_CLASSES:
        least, most = min(counts.values()), max(counts.values())
        return f"{len(counts)} classes of {least} to {most} rows"
    return ", ".join(f"{label} {count}" for label, count in sorted(counts.items()))
