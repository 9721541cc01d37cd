"""``strop doctor``."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console
from rich.table import Table
from rich.text import Text

from strop.errors import StropError
from strop.kernel import BOX

from .config import DoctorConfig
from .examination import examine
from .finding import Finding

STYLES = {"ok": "green", "warn": "bold yellow", "fail": "bold red"}


def doctor(config: DoctorConfig | None = None) -> None:
    """Check whether this box is fit to serve, and say what to change.

    Nothing is changed. The exit code is 1 when something would keep the server from starting or
    lasting, else 0, whatever else could be better.
    """
    config = config or DoctorConfig()
    findings = examine(config, BOX)
    if config.json:
        sys.stdout.write(json.dumps([asdict(finding) for finding in findings], indent=2) + "\n")
    else:
        _show(findings)
    if failed := [finding.part for finding in findings if finding.level == "fail"]:
        raise StropError(f"this box isn't fit to serve: {', '.join(dict.fromkeys(failed))}")


def _show(findings: Sequence[Finding]) -> None:
    table = Table.grid(padding=(0, 2))
    for column in range(3):
        table.add_column(overflow="fold", no_wrap=column < 2)
    for finding in findings:
        table.add_row(Text(finding.level, STYLES[finding.level]), finding.part, finding.found)
        if finding.fix:
            table.add_row("", "", Text(f"→ {finding.fix}", "bold"))
    Console(highlight=False, markup=False, emoji=False).print(table)
