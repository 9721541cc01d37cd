"""How a version did lately, and whether it may go on: decided here, done in ``router``."""

import math
from collections import deque
from dataclasses import dataclass, field

from .routes import Bounds

LONGEST = 20_000
"""Calls that are remembered at most."""


@dataclass
class Record:
    """The last calls of one version; times in seconds of one clock."""

    _calls: "deque[tuple[float, float]]" = field(default_factory=lambda: deque(maxlen=LONGEST))
    """(when it ended, seconds it took; infinite if it failed)."""
    _compared: "deque[tuple[float, float, int]]" = field(default_factory=lambda: deque(maxlen=LONGEST))
    """(when, share of the texts answered like the other version, texts)."""

    def ended(self, now: float, seconds: float, *, failed: bool) -> None:
        """A call was answered in ``seconds``, or failed."""
        self._calls.append((now, math.inf if failed else seconds))

    def compared(self, now: float, agreement: float, texts: int) -> None:
        """Both versions answered so many texts; ``agreement`` is the share that they answered alike."""
        self._compared.append((now, agreement, texts))

    def since(self, begin: float) -> "Summary":
        """What there was from ``begin`` on; forgets what was before."""
        for kept in (self._calls, self._compared):
            while kept and kept[0][0] < begin:
                kept.popleft()
        taken = sorted(seconds for _, seconds in self._calls if seconds < math.inf)
        texts = sum(count for *_, count in self._compared)
        alike = sum(share * count for _, share, count in self._compared)
        return Summary(
            calls=len(self._calls),
            error_share=1 - len(taken) / len(self._calls) if self._calls else 0.0,
            p99=taken[math.ceil(0.99 * len(taken)) - 1] if taken else math.nan,
            compared=texts,
            agreement=alike / texts if texts else math.nan,
        )


@dataclass(frozen=True)
class Summary:
    """A version's last calls in numbers."""

    calls: int
    error_share: float
    p99: float
    """Seconds, of the calls that were answered; NaN without any."""
    compared: int
    """Texts that the other version answered, too."""
    agreement: float
    """The share of those that both answered alike; NaN without any."""


def fault(ours: Summary, main: Summary, bounds: Bounds) -> str | None:
    """Why a version may not go on beside the main one; ``None`` if it may, or too little is known."""
    if ours.calls >= bounds.min_calls:
        if ours.error_share > main.error_share + bounds.max_error_share:
            return (
                f"{ours.error_share:.1%} of its {ours.calls} calls failed, of the main version's"
                f" {main.error_share:.1%}; at most {bounds.max_error_share:.1%} more may"
            )
        if main.calls >= bounds.min_calls and ours.p99 > bounds.max_p99_ratio * main.p99:
            return (
                f"its p99 is {1e3 * ours.p99:.1f} ms and the main version's {1e3 * main.p99:.1f} ms;"
                f" at most {bounds.max_p99_ratio:g} times as much is allowed"
            )
    if ours.compared >= bounds.min_calls and ours.agreement < bounds.min_agreement:
        return (
            f"{ours.agreement:.1%} of {ours.compared} texts were answered as by the main version;"
            f" at least {bounds.min_agreement:.1%} must be"
        )
    return None
