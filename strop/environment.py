"""An environment of its own for a tool whose pins don't go with ours: made once, kept in the cache."""

import subprocess
import sys
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
    base: str = ""
    """The interpreter that it is made of, where ours won't do."""

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
        self._create()
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

    def _create(self) -> None:
        base = self.base or sys.executable
        command = (base, "-m", "venv", "--clear", "--symlinks", "--without-pip", str(self.folder))
        try:
            subprocess.run(command, capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError) as error:
            said = getattr(error, "stderr", None) or str(error)
            raise StropError(
                f"the environment of {self.name} could not be made: {base} makes none:"
                f" {said.strip().splitlines()[-1]}"
            ) from error

    @property
    def _stamp(self) -> Path:
        return self.folder / "requirements.txt"

    @property
    def _wanted(self) -> str:
        lines = [one for requirements in self.installs for one in requirements]
        lines += [f"# of {self.base}"] if self.base else []
        return "".join(f"{line}\n" for line in lines) + self.constraints
