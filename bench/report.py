"""The report of a benchmark: everything measured and assumed, as versioned JSON and for reading."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from strop.errors import InputError
from strop.host import Host
from strop.tasks import Task

from .accuracy import Accuracy
from .config import BenchConfig
from .cost.machine import dollars_per_million
from .cost.price_book import Machine, doubt
from .run import Measured

SCHEMA = "strop.bench/3"
LOCAL = ("localhost", "127.", "[::1]", "unix:")


@dataclass(frozen=True)
class Report:
    """One benchmark."""

    created: datetime
    host: Host
    load: float
    """Processes that wanted a core, on average over the minute before."""
    versions: Mapping[str, str]
    config: BenchConfig
    task: Task
    """What the model that was measured is for."""
    measured: Measured
    accuracy: Accuracy | None
    promised: tuple[str, Mapping[str, float]] | None
    """The variant and the metrics that its bundle promises."""
    machines: Sequence[Machine]
    lengths: Mapping[int, int]
    """How many of the texts, or pairs, have so many characters."""

    @property
    def address(self) -> str:
        """Where the server listened."""
        return self.config.address

    @property
    def rate(self) -> float | None:
        """Texts per second sustained within the SLO; ``None`` where no rate tried met it."""
        sustained = self.measured.sustained
        return sustained.summary.rate if sustained else None

    def cost(self, machine: Machine) -> float | None:
        """US dollars per million texts on ``machine``, were it to reach the rate measured here."""
        if self.rate is None:
            return None
        return dollars_per_million(machine.hourly(), self.rate, self.config.utilisation)

    @property
    def conditions(self) -> str:
        """What the rate was measured on, and so what each cost assumes."""
        if self.address.startswith(LOCAL):
            return f"measured here on {self.host}, client and server sharing them"
        return f"measured from {self.host.name} against {self.address}, whose hardware is not known"

    def warnings(self) -> list[str]:
        """What a reader must know before trusting a number."""
        measured = self.measured
        found = []
        if self.load > 0.5:
            found.append(f"the machine was not idle before: load {self.load:.1f}")
        for phase in measured.phases:
            name = f"{phase.loop} loop" + (f" at {phase.offered:.1f}/s" if phase.offered else "")
            if limit := phase.summary.client_limited:
                found.append(f"{name}: the client was the limit, not the server: {limit}")
            if phase.loop == "closed" and phase.summary.errors:
                found.append(f"{name}: failed calls: {dict(phase.summary.errors)}")
            # A rate that is too high drifts by nature.
            if phase.failure is None and phase.summary.drift and phase.summary.drift.matters:
                found.append(f"{name}: {phase.summary.drift}; more --seconds may show where it settles")
            if phase.summary.outliers:
                found.append(f"{name}: {phase.summary.outliers}")
        if self.accuracy and self.accuracy.changed:
            found.append(f"{self.accuracy.changed} texts got another answer when asked again")
        doubts = (doubt(machine, self.created.date()) for machine in self.machines)
        return found + [doubt for doubt in doubts if doubt]

    def to_json(self) -> str:
        """The report as ``strop.bench/3``: seconds, texts per second and US dollars throughout."""
        first = self.measured.first
        return json.dumps(
            {
                "schema": SCHEMA,
                "created": self.created.isoformat(),
                "server": {
                    "address": self.address,
                    "model": first.model,
                    "version": first.version,
                    "variant": first.variant,
                    "task": self.task.name,
                },
                "host": asdict(self.host) | {"load_before": self.load},
                "versions": dict(self.versions),
                "config": asdict(self.config),
                "conditions": self.conditions,
                "sustained_rate": self.rate,
                "lengths": dict(sorted(self.lengths.items())),
                "phases": [asdict(phase) for phase in self.measured.phases],
                "accuracy": self._accuracy(),
                "costs": [
                    asdict(machine)
                    | {"hourly": machine.hourly(), "dollars_per_million": self.cost(machine)}
                    for machine in self.machines
                ],
                "warnings": self.warnings(),
            },
            indent=2,
            default=str,
        )

    def _accuracy(self) -> dict[str, Any] | None:
        if self.accuracy is None:
            return None
        promised = dict(zip(("variant", "metrics"), self.promised, strict=True)) if self.promised else None
        return asdict(self.accuracy) | {"promised": promised}


def check_folder(out: Path) -> None:
    """``InputError`` before any load if no report can go into ``out``."""
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file; name a folder for the report")


def write(report: Report, markdown: str, folder: Path) -> Path:
    """Write ``<date>T<time>-<host>.json`` and ``.md`` into ``folder``, as ``write_files`` does."""
    stem = f"{report.created:%Y-%m-%dT%H%M%S}-{report.host.name}"
    return write_files(folder, stem, report.to_json() + "\n", markdown)


def write_files(folder: Path, stem: str, record: str, markdown: str) -> Path:
    """Write ``<stem>.json`` and ``<stem>.md`` into ``folder``; returns the latter.

    Each appears whole or not at all. ``InputError`` if the folder can't be written.
    """
    page = folder / f"{stem}.md"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(folder / f"{stem}.json", record)
        replace_file(page, markdown)
    except OSError as error:
        raise InputError(f"--out {folder} can't be written: {error.strerror}") from error
    return page


def replace_file(path: Path, text: str) -> None:
    """Write ``path`` whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
