"""How the data commands sum up the rows that they wrote."""

from collections import Counter

LISTED_CLASSES = 10


def class_summary(counts: Counter[str]) -> str:
    """How many rows each class has, or the least and most where there are many classes."""
    if len(counts) > LISTED_CLASSES:
        least, most = min(counts.values()), max(counts.values())
        return f"{len(counts)} classes of {least} to {most} rows"
    return ", ".join(f"{label} {count}" for label, count in sorted(counts.items()))
