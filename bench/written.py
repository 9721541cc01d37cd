"""The files that a report is written to."""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from strop.errors import InputError
from strop.host import Host
from strop.staging import replace_file


def check_folder(out: Path) -> None:
    """``InputError`` before any load if no report can go into ``out``."""
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file; name a folder for the report")


def file_stem(created: datetime, host: Host, kind: str = "") -> str:
    """The name of a report's files: when and where it was measured and, if it is not a plain one, what."""
    return f"{created:%Y-%m-%dT%H%M%S}-{host.name}" + (f"-{kind}" if kind else "")


def to_json(fields: Mapping[str, Any]) -> str:
    """A report's record, as it stands in its file."""
    return json.dumps(fields, indent=2, default=str) + "\n"


def write_files(folder: Path, stem: str, texts: Mapping[str, str]) -> Path:
    """Write a text for each suffix under the name ``stem`` into ``folder``; returns the last one's path.

    Each appears whole or not at all. ``InputError`` if the folder can't be written.
    """
    path = folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for suffix, text in texts.items():
            path = folder / f"{stem}.{suffix}"
            replace_file(path, text)
    except OSError as error:
        raise InputError(f"--out {folder} can't be written: {error.strerror}") from error
    return path
