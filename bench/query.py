"""``strop query``: the options; ``ask.py`` does the asking."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Parameter

from strop.access import OPEN, AccessOptions
from strop.errors import InputError


@Parameter(name="*")
@dataclass(frozen=True)
class QueryConfig:
    """How to ask."""

    protocol: Literal["typed", "open-inference", "both"] = "typed"
    """The API to ask through; both shows that they agree."""
    model: str = ""
    """The model's name; without it, the only one that the server has."""
    task: str | None = None
    """What the model is for, such as text-classification; without it, what the server says. Servers
    other than Strop may not say it."""
    top_k: int | None = None
    """Labels to show for each text, the best first; 0 shows all. Without it the best one is shown, or
    all that hold where a text may have any number of them."""
    timeout: float = 10.0
    """Seconds to wait for each answer."""
    access: Annotated[AccessOptions, Parameter(name="*")] = OPEN

    def __post_init__(self) -> None:
        """Raise ``InputError`` naming the option, its value and the fix."""
        if self.top_k is not None and self.top_k < 0:
            raise InputError(f"--top-k is {self.top_k}; it must be at least 0")
        if not 0 < self.timeout < float("inf"):
            raise InputError(f"--timeout is {self.timeout}; it must be a number of seconds above 0")


def query(address: str, /, *texts: str, config: QueryConfig | None = None) -> None:
    """Ask a running server about texts, and show where the time of each call went.

    Args:
        address: Where the server listens, as host:port.
        texts: What to ask about, one call each; every two of them are one pair where the model judges
            two texts together. Without any, the lines of the standard input; a pair is one line with
            a tab between its texts.
        config: How to ask.

    """
    lines = () if texts else tuple(_lines())
    for number, text in enumerate(texts or lines, 1):
        _require_utf8(number, text)
    if not (texts or lines):
        raise InputError("no text to ask about; give TEXT, or lines on the standard input")
    # Not at the top: the option's help must not wait for gRPC.
    from .ask import ask

    ask(address, texts, lines, config or QueryConfig())


def _lines() -> Iterator[str]:
    try:
        for line in sys.stdin:
            yield line.rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise InputError(
            f"the standard input is not {error.encoding}: {error}; convert it (iconv)"
        ) from error


def _require_utf8(number: int, text: str) -> None:
    """Python keeps other bytes of an argument or a line as surrogates, which no request can carry."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"text {number} is not UTF-8: {text[:40]!r}; convert it (iconv)") from error
