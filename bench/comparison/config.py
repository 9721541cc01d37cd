"""The options of ``strop bench compare`` and ``strop bench gate``; the only home of their defaults."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from strop.errors import InputError


@Parameter(name="*")
@dataclass(frozen=True)
class CompareConfig:
    """Which reports are held side by side."""

    before: Path
    """A report of strop bench (its .json)."""
    after: Path
    """Another one: differences are its figures over those of the first."""
    _: KW_ONLY
    unlike_machines: Annotated[bool, Parameter(negative="")] = False
    """Compare although machine or task differ. The figures then tell as much of the machines as of
    what ran on them."""


@Parameter(name="*")
@dataclass(frozen=True)
class GateConfig:
    """Which report must hold what another one showed."""

    report: Path
    """The report of strop bench (its .json) to judge."""
    _: KW_ONLY
    against: Path
    """The report that it must hold up to: the one of your main branch, say, from the same machine."""
    max_regression: str = "5%"
    """By how much a figure may get worse, of what it was: 5% or 0.05. Set it above what two runs of the
    same code differ by; strop bench compare shows that."""
    unlike_machines: Annotated[bool, Parameter(negative="")] = False
    """Judge although machine or task differ."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` naming the option, its value and the fix."""
        if not 0 <= self.allowed < 1:
            raise InputError(f"--max-regression is {self.max_regression}; give a share such as 5% or 0.05")

    @property
    def allowed(self) -> float:
        """The share, 0 to below 1; not a number where the option is none."""
        text = self.max_regression.strip()
        try:
            return float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            return float("nan")
