"""The report: one table, target beside figure, on the terminal, as Markdown and as versioned JSON."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Protocol

from rich.console import Console

from strop.host import Host

from ..grid import Grid, grid_markdown, show_grid
from ..written import file_stem, write_files
from .rows import Row

VERDICT = {True: "met", False: "MISSED", None: "–"}


class Options(Protocol):
    """The options of a benchmark: a frozen dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def out(self) -> Path:
        """Folder for the report."""

    @property
    def rounds(self) -> int:
        """How often each contender is measured, in turn."""


@dataclass(frozen=True)
class TargetReport:
    """One run of a benchmark, as far as it has come."""

    schema: str
    title: str
    """Of the table."""
    created: datetime
    host: Host
    load: float
    """Processes that wanted a core, on average over the minute before."""
    versions: Mapping[str, str]
    config: Options
    setting: str
    """What was measured, on what: a line for the page's head."""
    parts: dict[str, Sequence[Row]] = field(default_factory=dict)
    """The rows of each part that is done."""
    failures: dict[str, str] = field(default_factory=dict)
    """Why a part could not be measured."""

    @property
    def missed(self) -> list[str]:
        """The names of the rows that missed their target."""
        return [row.name for rows in self.parts.values() for row in rows if row.met is False]

    @property
    def targets(self) -> int:
        """How many rows have a target."""
        return sum(row.target is not None for rows in self.parts.values() for row in rows)

    @property
    def verdict(self) -> str:
        """The outcome in a line."""
        failed = "".join(f"; {part} could not be measured" for part in self.failures)
        return f"{len(self.missed)} of {self.targets} targets missed{failed}"

    def grid(self) -> Grid:
        """The table."""
        rows = [
            (
                row.name,
                str(row.target or "–"),
                digits(row.figure),
                row.unit or "–",
                f"{digits(row.spread[0])} – {digits(row.spread[1])}" if len(row.values) > 1 else "–",
                VERDICT[row.met],
            )
            for part in self.parts.values()
            for row in part
        ]
        return Grid(
            self.title,
            ("figure", "target", "median", "unit", "range", "verdict"),
            rows,
            f"Medians of {self.config.rounds} rounds in which the contenders take turns, and their range"
            " from the lowest to the highest; ratios are taken round by round.",
        )

    def to_markdown(self) -> str:
        """The report as a page: the verdict first."""
        notes = [f"- {row.name}: {row.note}" for part in self.parts.values() for row in part if row.note]
        failures = [f"- {part} could not be measured: {why}" for part, why in self.failures.items()]
        parts = [
            f"# {self.verdict}",
            f"{self.created:%Y-%m-%d %H:%M} · {self.setting} · {self.host}"
            f" · {self.host.memory_bytes / 2**30:.1f} GiB · {self.host.kernel}"
            f" · load before {self.load:.1f}",
            ", ".join(f"{name} {version}" for name, version in self.versions.items()),
            *(["## Failures", "\n".join(failures)] if failures else []),
            grid_markdown(self.grid()),
            "## What the figures are",
            "\n".join(notes),
        ]
        return "\n\n".join(parts) + "\n"

    def to_json(self) -> str:
        """The report under its schema; ``null`` for what was never answered or measured."""
        return json.dumps(
            {
                "schema": self.schema,
                "created": self.created.isoformat(),
                "host": asdict(self.host) | {"load_before": self.load},
                "versions": dict(self.versions),
                "config": asdict(self.config),
                "setting": self.setting,
                "missed": self.missed,
                "failures": self.failures,
                "parts": {part: [_fields(row) for row in rows] for part, rows in self.parts.items()},
            },
            indent=2,
            default=str,
            allow_nan=False,
        )

    def write(self) -> Path:
        """Write ``<date>T<time>-<host>.json`` and ``.md``, each whole or not at all; returns the page.

        ``InputError`` if the folder can't be written.
        """
        texts = {"json": self.to_json() + "\n", "md": self.to_markdown()}
        return write_files(self.config.out, file_stem(self.created, self.host), texts)

    def show(self, console: Console) -> None:
        """Print the table for a person."""
        show_grid(self.grid(), console)
        for part, why in self.failures.items():
            console.print(f"{part} could not be measured: {why}", style="red", markup=False)
        console.print(self.verdict, style="bold", markup=False)


def digits(value: float) -> str:
    """At least three digits, at most three of them behind the point; n/a for what was not measured."""
    if math.isnan(value):
        return "n/a"
    if math.isinf(value):
        return "never"
    if float(value).is_integer():
        return f"{value:,.0f}"
    size = abs(value)
    return f"{value:,.{0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3}f}"


def _fields(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "unit": row.unit,
        "target": str(row.target) if row.target else None,
        "figure": _finite(row.figure),
        "values": [_finite(value) for value in row.values],
        "met": row.met,
        "note": row.note,
    }


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
