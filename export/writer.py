"""Write a bundle whole or not at all: staged beside its place, manifest last, then renamed."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from strop.errors import InputError

from .bundle import Manifest
from .bundle.files import file_entry
from .bundle.manifest import MANIFEST_FILE


@contextlib.contextmanager
def staged(out: Path) -> Iterator[Path]:
    """A folder beside ``out`` that becomes ``out`` when the block ends well, and is removed if not.

    Raises ``InputError`` at once when ``out`` exists, so that no bundle is overwritten.
    """
    if out.exists():
        raise InputError(f"--out {out} exists; name another folder or remove it first")
    out.parent.mkdir(parents=True, exist_ok=True)
    stage = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        yield stage
        stage.chmod(0o755)  # mkdtemp makes it private
        stage.rename(out)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def seal(stage: Path, manifest: Manifest) -> Manifest:
    """Write the manifest with the size and sha256 of every file in ``stage``; returns it."""
    paths = sorted(path for path in stage.rglob("*") if path.is_file())
    files = {path.relative_to(stage).as_posix(): file_entry(path) for path in paths}
    sealed = replace(manifest, files=files)
    (stage / MANIFEST_FILE).write_text(sealed.to_json(), encoding="utf-8")
    return sealed
