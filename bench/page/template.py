"""The page that a manager can read, from whatever a benchmark has to show: no network, no script."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from strop.style import STYLE

from ..grid import Grid
from .figures import Figure

TEMPLATE = "page.html"


@dataclass(frozen=True)
class Page:
    """What stands on it, from the top to the bottom."""

    title: str
    number: str
    """The one number, large."""
    words: str
    """What it is a number of."""
    sentence: str
    """On what condition."""
    tiles: Sequence[tuple[str, str, str]]
    """Name, value and remark of the few other numbers that everyone asks for."""
    figures: Sequence[Figure]
    grids: Sequence[Grid]
    warnings: Sequence[str]
    unmeasured: Sequence[str]
    setting: Sequence[str]
    """How it was measured, a paragraph each."""


def render(page: Page) -> str:
    """The page as HTML."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(TEMPLATE).render(vars(page), style=STYLE)
