"""How a version of a model is named, and which of several is later."""

import re
from typing import NamedTuple


class Key(NamedTuple):
    """A version of a model."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


def later(version: str) -> tuple[tuple[int, int, str], ...]:
    """What versions are sorted by: 2 before 10, and 1.9 before 1.10; numbers before words."""
    return tuple(
        (0, int(part), "") if part.isdecimal() else (1, 0, part)
        for part in re.findall(r"\d+|[^\d.]+", version)
    )
