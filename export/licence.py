"""The licence that a model folder states for itself."""

import json
import re
from pathlib import Path

FRONT_MATTER = re.compile(r"\A---\n(.*?)^---\s*$", re.MULTILINE | re.DOTALL)
LICENCE_LINE = re.compile(r"^license:[ \t]*['\"]?([^'\"\s]+)", re.MULTILINE)


def stated_licence(folder: Path) -> str | None:
    """From README.md's front matter or config.json, else the first line of a LICENSE file."""
    return _in_readme(folder / "README.md") or _in_config(folder / "config.json") or _in_file(folder)


def _in_readme(path: Path) -> str | None:
    if not path.is_file():
        return None
    front = FRONT_MATTER.match(path.read_text(encoding="utf-8"))
    found = LICENCE_LINE.search(front[1]) if front else None
    return found[1] if found else None


def _in_config(path: Path) -> str | None:
    if not path.is_file():
        return None
    stated = json.loads(path.read_text(encoding="utf-8")).get("license")
    return stated if isinstance(stated, str) else None


def _in_file(folder: Path) -> str | None:
    for path in sorted(folder.glob("LICEN[CS]E*")):
        lines = (line.strip() for line in path.read_text(encoding="utf-8", errors="replace").splitlines())
        return next(filter(None, lines), None)
    return None
