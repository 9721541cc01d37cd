"""The last file of a bundle: its manifest, with every other file's size and sha256."""

from dataclasses import replace
from pathlib import Path

from .bundle import Manifest
from .bundle.files import file_entry
from .bundle.manifest import MANIFEST_FILE


def seal(stage: Path, manifest: Manifest) -> Manifest:
    """Write the manifest with the size and sha256 of every file in ``stage``; returns it."""
    paths = sorted(path for path in stage.rglob("*") if path.is_file())
    files = {path.relative_to(stage).as_posix(): file_entry(path) for path in paths}
    sealed = replace(manifest, files=files)
    (stage / MANIFEST_FILE).write_text(sealed.to_json(), encoding="utf-8")
    return sealed
