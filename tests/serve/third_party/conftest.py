"""Environments for clients whose pins don't go with ours: made once with pip, kept in Strop's cache."""

import hashlib
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from strop.host import default_cache


@pytest.fixture(scope="session")
def environment() -> Callable[..., Path]:
    """Gives the folder of a virtual environment with pinned requirements; skips where pip can't make it.

    Its name tells the requirements and the interpreter, so a change of either makes a new one. It is
    made under another name and renamed, so it is whole or not there; only its ``bin/python`` is to be
    run, because its other scripts name the folder that it was made in.
    """

    def make(*requirements: str) -> Path:
        key = hashlib.sha256("\n".join((sys.version, *requirements)).encode()).hexdigest()[:12]
        folder = default_cache() / "environments" / key
        if folder.is_dir():
            return folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".making-") as scratch:
            draft = Path(scratch) / "environment"
            subprocess.run([sys.executable, "-m", "venv", str(draft)], check=True)
            pip = (str(draft / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install")
            done = subprocess.run(
                [*pip, "--quiet", *requirements], capture_output=True, text=True, check=False
            )
            if done.returncode:
                pytest.skip(f"pip can't install {' '.join(requirements)}: {done.stderr.strip()[-300:]}")
            draft.rename(folder)
        return folder

    return make
