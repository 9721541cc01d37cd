"""``strop query``: the options; ``ask.py`` does the asking."""

import sys
from dataclasses import dataclass
from typing import Literal

from cyclopts import Parameter

from strop.errors import InputError


@Parameter(name="*")
@dataclass(frozen=True)
class QueryConfig:
    """How to ask."""

    protocol: Literal["typed", "open-inference", "both"] = "typed"
    """The API to ask through; both shows that they agree."""
    model: str = ""
    """The model's name; without it, the only one that the server has."""
    top_k: int = 1
    """Labels to show for each text, the best first; 0 shows all. The typed API only."""
    timeout: float = 10.0
    """Seconds to wait for each answer."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` naming the option, its value and the fix."""
        if self.top_k < 0:
            raise InputError(f"--top-k is {self.top_k}; it must be at least 0")
        if not 0 < self.timeout < float("inf"):
            raise InputError(f"--timeout is {self.timeout}; it must be a number of seconds above 0")


def query(address: str, /, *texts: str, config: QueryConfig | None = None) -> None:
    """Ask a running server for the labels of texts, and show where the time of each call went.

    Args:
        address: Where the server listens, as host:port.
        texts: What to classify, one call each; without any, the lines of the standard input.
        config: How to ask.

    """
    wanted = list(texts) or [line.rstrip("\r\n") for line in sys.stdin]
    if not wanted:
        raise InputError("no text to ask about; give TEXT, or lines on the standard input")
    # Not at the top: the option's help must not wait for gRPC.
    from .ask import ask

    ask(address, wanted, config or QueryConfig())
