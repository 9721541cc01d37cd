"""A folder or a file that is written whole or not at all: staged beside its place, then renamed."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .errors import InputError


@contextlib.contextmanager
def staged(out: Path) -> Iterator[Path]:
    """A folder beside ``out`` that becomes ``out`` when the block ends well, and is removed if not.

    Raises ``InputError`` at once when ``out`` exists, so that nothing is overwritten.
    """
    if out.exists():
        raise InputError(f"--out {out} exists; name another folder or remove it first")
    is_new = not out.parent.exists()
    out.parent.mkdir(parents=True, exist_ok=True)
    stage = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        yield stage
        stage.chmod(0o755)  # mkdtemp makes it private
        stage.rename(out)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        if is_new:
            with contextlib.suppress(OSError):  # something is in it
                out.parent.rmdir()


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A file beside ``path``, yet to be written, that takes its place when the block ends well, and is
    removed if not. Processes that do so at once don't meet: the last to end wins.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield draft
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def replace_file(path: Path, text: str) -> None:
    """Write ``path`` whole or not at all; ``OSError`` if it can't be."""
    with replaced(path) as draft:
        draft.write_text(text, encoding="utf-8")
