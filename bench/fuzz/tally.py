"""Counts what inputs ended with, and keeps the first that broke a promise, each in its way."""

import json
import time
from collections import Counter
from pathlib import Path

from strop.staging import replace_file

from .verdict import FindingError, Target

TALLY_FILE, FINDINGS_FOLDER, CORPUS_FOLDER = "tally.json", "findings", "corpus"
EVERY = 1000
"""Inputs between two writings of the tally: libFuzzer ends the process without a word to Python."""


class Tally:
    """Counts in memory, and now and then in a file of ``folder``."""

    def __init__(self, target: Target, folder: Path, runs: int) -> None:
        self._target = target
        self._folder = folder
        self._runs = runs
        self._outcomes: Counter[str] = Counter()
        self._findings: dict[str, str] = {}
        self._slowest = 0.0
        self._started = time.monotonic()
        (folder / FINDINGS_FOLDER).mkdir(exist_ok=True)

    def try_one(self, data: bytes) -> None:
        """Try one input."""
        before = time.monotonic()
        try:
            self._outcomes[self._target.run(data)] += 1
        except FindingError as finding:
            self._outcomes["finding"] += 1
            self._keep(finding, data)
        self._slowest = max(self._slowest, time.monotonic() - before)
        count = self._outcomes.total()
        if count % EVERY == 0 or count >= self._runs:
            self._write()

    def _keep(self, finding: FindingError, data: bytes) -> None:
        if finding.digest not in self._findings:
            self._findings[finding.digest] = str(finding)
            (self._folder / FINDINGS_FOLDER / finding.digest).write_bytes(data)
            self._write()

    def _write(self) -> None:
        fields = {
            "inputs": self._outcomes.total(),
            "seconds": time.monotonic() - self._started,
            "slowest_seconds": self._slowest,
            "outcomes": dict(self._outcomes.most_common()),
            "findings": self._findings,
        }
        replace_file(self._folder / TALLY_FILE, json.dumps(fields, indent=2) + "\n")
