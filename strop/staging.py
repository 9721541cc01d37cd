"""A folder that is written whole or not at all: staged beside its place, then renamed."""

import contextlib
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
