"""What was found of one part of a box, and what to change."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    part: str
    level: Level
    """``warn`` costs latency, throughput or safety; with ``fail`` the server won't start or last."""
    found: str
    fix: str = ""
    """What to change; empty when all is well."""


def ok(part: str, found: str) -> Finding:
    """All is well."""
    return Finding(part, "ok", found)


def warn(part: str, found: str, fix: str) -> Finding:
    """It serves, but worse than it could."""
    return Finding(part, "warn", found, fix)


def fail(part: str, found: str, fix: str) -> Finding:
    """It won't serve like this."""
    return Finding(part, "fail", found, fix)


def in_units(count: float) -> str:
    """Bytes for a person: 1.5 GB, 20 MB."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.0f} MB"
