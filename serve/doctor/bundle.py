"""The bundles: whether they are whole, and answer on this box as they did where they were made."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from strop.export.providers import TENSORRT

from ..repository.options import RepositoryOptions
from ..repository.policy import VersionPolicy
from ..repository.source import OneBundle, source_of
from .finding import Finding, fail, ok, warn

PATIENCE_SECONDS = 300.0
UNASKED = VersionPolicy.parse(RepositoryOptions.versions)


@dataclass(frozen=True)
class Inspection:
    """What ``strop inspect --verify`` told of one bundle."""

    model: str
    """Name and version, of one in a repository; nothing of a bundle alone."""
    told: dict[str, Any]
    """Manifest and findings; empty when it couldn't be looked at."""
    reason: str
    """Why not."""

    @property
    def peak_bytes(self) -> int:
        """Memory of the variant that is served by default, as measured at export; 0 when not known."""
        sizes = {one["name"]: one["peak_bytes"] for one in self._manifest.get("variants", ())}
        return int(sizes.get(self._default, 0))

    @property
    def for_tensorrt(self) -> dict[str, dict[str, str]]:
        """Facts of the variants that are made for it, by name."""
        variants = self._manifest.get("variants", ())
        whose = f" of {self.model}" if self.model else ""
        return {f"{one['name']}{whose}": one["facts"] for one in variants if one["provider"] == TENSORRT}

    @property
    def _manifest(self) -> dict[str, Any]:
        manifest: dict[str, Any] = self.told.get("manifest", {})
        return manifest

    @property
    def _default(self) -> str:
        return str(self._manifest.get("default_variant", ""))

    def judge(self) -> Iterator[Finding]:
        """Whether it can be served here."""
        part = f"bundle {self.model}" if self.model else "bundle"
        if not self.told:
            found, _, fix = self.reason.partition("; ")
            yield fail(part, found, fix or "export it again")
            return
        findings = self.told["findings"]
        for fault in findings["files"].values():
            found, _, fix = fault.partition("; ")
            yield fail(part, found, fix)
        for check in findings["golden"]:
            name, fault = check["variant"], check["fault"]
            if fault is None:
                yield ok(part, f"{name} answers here as it did at export")
                continue
            found, _, fix = fault.partition("; ")
            # What isn't served by default may be for another kind of machine.
            judged = fail if name == self._default else warn
            yield judged(part, found, fix or "serve --variant another")


def inspect(place: Path) -> list[Inspection]:
    """Look at a bundle or, of a repository, at those that ``strop serve`` would serve unasked.

    ``InputError`` when a repository can't be read.
    """
    source = source_of(str(place))
    served = [] if isinstance(source, OneBundle) else sorted(UNASKED.choose(source.versions()))
    found = [_inspected(str(key), source.fetch(key)) for key in served]
    return found or [_inspected("", place)]


def _inspected(model: str, bundle: Path) -> Inspection:
    """Check files and golden examples in a process of its own, which an odd processor may end."""
    command = [sys.executable, "-P", "-m", "strop", "inspect", str(bundle), "--verify", "--json"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
        )
        if done.returncode < 0:
            ended = signal.strsignal(-done.returncode)
            return Inspection(model, {}, f"running it here ended with {ended}; export fp32 on this machine")
        return Inspection(model, json.loads(done.stdout), "")
    except ValueError:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        return Inspection(model, {}, reason.removeprefix("strop: "))
    except (OSError, subprocess.TimeoutExpired) as error:
        return Inspection(model, {}, str(error))
