"""What a rival is: what it installs, what starts it, what is tried of it, how a call looks."""

import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from strop.environment import Environment
from strop.errors import StropError

from .batching import Batching

ENDPOINTS = Path(__file__).with_name("endpoints")
DISTRIBUTION = "/usr/bin/python3"
"""The interpreter of a Linux distribution, which shares its library."""
ENGINE = ("onnxruntime", "tokenizers", "numpy")
"""What reads a bundle, in the rival's environment as in ours."""


@dataclass(frozen=True)
class Rival:
    """Another server of the same model.

    Its app, a module of ``bench/rivals/apps`` of the same name, runs in the rival's environment.
    """

    name: str
    title: str
    """What it is and what computes, for the report."""
    batchings: Sequence[Batching]
    """The settings to try; the best of them is measured."""
    requires: Sequence[str] = ()
    """Pinned, of PyPI; for the bundle's graph the engine is added where it isn't among them. Empty where
    the rival runs in Strop's own environment."""
    uses: Sequence[str] = ()
    """Packages that it needs besides, at the versions of Strop's own environment."""
    endpoint: str = ""
    """The file in ``endpoints`` that declares its HTTP call; empty for the Open Inference Protocol."""
    model: Literal["bundle", "folder"] = "bundle"
    """Whether it loads the bundle's graph, or the run's model as a Hugging Face folder."""
    pythons: tuple[int, int] = (99, 99)
    """The first Python that it doesn't run on."""
    shared_python: bool = False
    """Whether it needs an interpreter that shares its library, as a distribution's does."""

    @property
    def app(self) -> str:
        """The module that starts it."""
        return f"strop.bench.rivals.apps.{self.name}"

    @property
    def endpoint_file(self) -> Path | None:
        """The declaration of its HTTP call."""
        return ENDPOINTS / self.endpoint if self.endpoint else None

    @property
    def installs(self) -> tuple[str, ...]:
        """All that its environment is asked to hold, pinned."""
        own = {requirement.partition("==")[0] for requirement in self.requires}
        engine = ENGINE if self.model == "bundle" else ()
        shared = [package for package in (*engine, *self.uses) if package not in own]
        return (*self.requires, *(f"{package}=={_public_version(package)}" for package in shared))

    @property
    def environment(self) -> Environment | None:
        """Where it is installed, in the cache; ``None`` where that is Strop's own environment."""
        if not self.requires:
            return None
        ours = not self.shared_python or sysconfig.get_config_var("Py_ENABLE_SHARED")
        return Environment(f"rivals/{self.name}", (self.installs,), base="" if ours else DISTRIBUTION)

    def python(self) -> str:
        """The interpreter of its environment, which is made in the cache on first use (minutes).

        Raises ``StropError`` with the reason when it can't be had.
        """
        if sys.version_info >= self.pythons:
            major, minor = self.pythons
            raise StropError(f"{self.name} needs Python below {major}.{minor}")
        if environment := self.environment:
            return str(environment.make())
        for package in self.uses:
            try:
                version(package)
            except PackageNotFoundError as error:
                raise StropError(f"{self.name} needs {package}; pip install 'strop[train]'") from error
        return sys.executable


def _public_version(package: str) -> str:
    """Without the local part, such as +cpu, which an index doesn't know."""
    return version(package).partition("+")[0]
