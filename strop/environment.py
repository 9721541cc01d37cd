"""An environment of its own for a tool whose pins don't go with ours: made once, kept in the cache."""

import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

from .errors import StropError
from .host import default_cache


@dataclass(frozen=True)
class Environment:
    """What it is called in the cache, and what pip installs into it."""

    name: str
    installs: tuple[tuple[str, ...], ...]
    """The requirements of each call of pip, in order."""
    constraints: str = ""
    """The text of a constraints file that holds for all of them."""

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return default_cache() / self.name

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.folder / "bin" / "python"

    @property
    def ready(self) -> bool:
        """Whether it is whole, and holds what is wanted now."""
        return self._stamp.is_file() and self._stamp.read_text(encoding="utf-8") == self._wanted

    def make(self) -> Path:
        """Its interpreter; the environment is made on first use, which takes minutes.

        Raises ``StropError`` with pip's reason when it can't be made.
        """
        if self.ready:
            return self.python
        venv.create(self.folder, clear=True, symlinks=True)
        constraints = self.folder / "constraints.txt"
        constraints.write_text(self.constraints, encoding="utf-8")
        pip = (sys.executable, "-m", "pip", "--python", str(self.python), "install", "--quiet")
        options = ("--disable-pip-version-check", "--no-input", "--constraint", str(constraints))
        for requirements in self.installs:
            done = subprocess.run(
                (*pip, *options, *requirements), capture_output=True, text=True, check=False
            )
            if done.returncode:
                reason = done.stderr.strip().splitlines()[-1]
                raise StropError(
                    f"the environment of {self.name} could not be made: {reason}; check pip's index, run"
                    " this again"
                )
        self._stamp.write_text(self._wanted, encoding="utf-8")
        return self.python

    @property
    def _stamp(self) -> Path:
        return self.folder / "requirements.txt"

    @property
    def _wanted(self) -> str:
        return (
            "".join(f"{one}\n" for requirements in self.installs for one in requirements) + self.constraints
        )
