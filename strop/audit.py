"""``make audit``: the pinned packages against a public list of known vulnerabilities.

pip-audit asks, from an environment of its own. Exit code 0: none is known; 1: some are, and they are
listed; 3: the list can't be reached, so nothing is known.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any, Literal

import cyclopts
from cyclopts import Parameter

from .environment import Environment
from .errors import StropError

PIP_AUDIT = Environment("pip-audit", (("pip-audit==2.10.1",),))
UNKNOWN = 3

Service = Literal["pypi", "osv"]


def audit(
    constraints: Path = Path("constraints.txt"),
    *,
    service: Annotated[Service, Parameter(help="Whom to ask: PyPI, or OSV.dev.")] = "pypi",
) -> int:
    """Ask about every pinned package; returns the exit code.

    Raises ``StropError`` when pip-audit can't be installed.
    """
    python = PIP_AUDIT.make()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        # The pins are whole: no dependency is looked up.
        words = ["--requirement", str(constraints), "--no-deps", "--disable-pip", "--strict"]
        words += ["--progress-spinner", "off", "--vulnerability-service", service]
        words += ["--format", "json", "--output", str(report)]
        done = subprocess.run(
            [str(python), "-m", "pip_audit", *words],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
        )
        # It is written only if every package was asked about.
        if not report.exists():
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            print(f"not audited: {service} could not be asked: {reason}", file=sys.stderr)
            return UNKNOWN
        packages: list[dict[str, Any]] = json.loads(report.read_text(encoding="utf-8"))["dependencies"]
    found = findings(packages)
    print(*found, f"{len(packages)} packages, {len(found)} known vulnerabilities ({service})", sep="\n")
    return 1 if found else 0


def findings(packages: list[dict[str, Any]]) -> list[str]:
    """A line for each vulnerability in pip-audit's report: the package, the name, and what mends it."""
    return [
        f"{one['name']} {one['version']}: {', '.join((fault['id'], *fault['aliases']))};"
        f" fixed in {', '.join(fault['fix_versions']) or 'no version yet'}"
        for one in packages
        for fault in one.get("vulns", ())
    ]


if __name__ == "__main__":
    try:
        sys.exit(cyclopts.run(audit))
    except StropError as error:
        sys.exit(f"audit: {error}")
