"""The dated record of a run on a card: what ran, what was skipped and why, and the figures."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

SCHEMA = "strop.test-gpu/1"
PACKAGES = (
    *("torch", "transformers", "peft", "accelerate", "onnx", "onnxruntime", "onnxruntime-gpu"),
    *("tensorrt", "tensorrt-rtx", "nvidia-ml-py"),
)


@dataclass(frozen=True)
class Figure:
    """One measured number, with its target where it has one: no less, or no more."""

    test: str
    name: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None

    @property
    def target(self) -> str:
        """What it should be."""
        if self.at_least is not None:
            return f"≥ {self.at_least:g}"
        return "–" if self.at_most is None else f"≤ {self.at_most:g}"

    @property
    def verdict(self) -> str:
        """Whether the target is met."""
        if self.at_least is not None:
            met = self.value >= self.at_least
        elif self.at_most is not None:
            met = self.value <= self.at_most
        else:
            return "–"
        return "met" if met else "MISSED"


@dataclass(frozen=True)
class Outcome:
    """How a test ended."""

    test: str
    outcome: str
    seconds: float
    reason: str = ""
    """Why it was skipped, or with what it failed."""


@dataclass
class Results:
    """One run."""

    started: datetime
    outcomes: list[Outcome] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)

    def write(self, folder: Path, device: str) -> Path:
        """Write ``<date>T<time>-<device>-gpu.json`` and ``.md``; returns the page."""
        folder.mkdir(parents=True, exist_ok=True)
        name = "-".join("".join(one if one.isalnum() else " " for one in device).split())
        page = folder / f"{self.started:%Y-%m-%dT%H%M%S}-{name}-gpu.md"
        page.with_suffix(".json").write_text(json.dumps(self._fields(device), indent=2) + "\n", "utf-8")
        page.write_text(self._page(device), "utf-8")
        return page

    def _fields(self, device: str) -> dict[str, object]:
        return {
            "schema": SCHEMA,
            "started": self.started.isoformat(timespec="seconds"),
            "seconds": self.seconds,
            "device": device,
            "python": platform.python_version(),
            "cores": len(os.sched_getaffinity(0)),
            "versions": _versions(),
            "figures": [asdict(one) | {"verdict": one.verdict} for one in self.figures],
            "outcomes": [asdict(one) for one in self.outcomes],
        }

    def _page(self, device: str) -> str:
        counts = {
            kind: sum(one.outcome == kind for one in self.outcomes)
            for kind in ("passed", "failed", "skipped")
        }
        versions = ", ".join(f"{name} {number}" for name, number in _versions().items())
        parts = [
            f"# {device}: {', '.join(f'{count} {kind}' for kind, count in counts.items())}",
            f"{self.started:%Y-%m-%d %H:%M}, {self.seconds:.0f} s, Python {platform.python_version()},"
            f" {versions}",
        ]
        if self.figures:
            rows = [
                (one.name, f"{one.value:,.4g} {one.unit}".strip(), one.target, one.verdict)
                for one in self.figures
            ]
            parts.append(_table(("figure", "value", "target", "verdict"), rows))
        outcomes = [(one.test, one.outcome, f"{one.seconds:.1f}", one.reason) for one in self.outcomes]
        parts.append(_table(("test", "outcome", "seconds", "why"), outcomes))
        return "\n\n".join(parts) + "\n"

    @property
    def seconds(self) -> float:
        """Since it started."""
        return (datetime.now().astimezone() - self.started).total_seconds()


class Recorder:
    """Notes how each test ended, as a plugin of pytest, and writes the record after each.

    A run that is cut short has then not been in vain.
    """

    def __init__(self, folder: Path, device: str) -> None:
        self.results = Results(datetime.now().astimezone())
        self._folder = folder
        self._device = device

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that can't be read, or that says itself that it can't run here."""
        if not report.passed:
            self._note(report, 0.0)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test that ran, or didn't get so far."""
        if report.when == "call" or not report.passed:
            self._note(report, report.duration)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the record, and say where."""
        page = self.results.write(self._folder, self._device)
        terminal = session.config.pluginmanager.get_plugin("terminalreporter")
        if terminal:
            terminal.write_line(f"\nresults: {page} and .json")

    def _note(self, report: pytest.CollectReport | pytest.TestReport, seconds: float) -> None:
        self.results.outcomes.append(
            Outcome(report.nodeid, report.outcome, round(seconds, 2), _reason(report))
        )
        self.results.write(self._folder, self._device)


def _reason(report: pytest.CollectReport | pytest.TestReport) -> str:
    if report.passed:
        return ""
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    lines = (crash.message if crash else str(report.longrepr)).strip().splitlines()
    return lines[0] if crash else lines[-1]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines
    )


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
