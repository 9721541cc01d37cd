"""What a key may use: decided here, from amounts and times alone."""

from dataclasses import dataclass, replace
from typing import Self

DAY_SECONDS = 86400.0


@dataclass(frozen=True)
class Quota:
    """Bounds of one key; ``None`` sets none."""

    texts_per_second: float | None = None
    tokens_per_second: float | None = None
    concurrent: int | None = None
    """Calls, or messages of a stream, that may be under way together."""
    dollars_per_day: float | None = None
    """US dollars of the machine's price that its texts take, from midnight to midnight UTC."""

    def share(self, workers: int) -> Self:
        """What one of so many processes grants: together they grant no more than the whole, save that
        each lets one call in.
        """
        return replace(
            self,
            texts_per_second=_part(self.texts_per_second, workers),
            tokens_per_second=_part(self.tokens_per_second, workers),
            concurrent=None if self.concurrent is None else max(1, self.concurrent // workers),
            dollars_per_day=_part(self.dollars_per_day, workers),
        )


def _part(whole: float | None, workers: int) -> float | None:
    return None if whole is None else whole / workers


class Bucket:
    """A rate with a burst of one second's worth.

    It lends: whatever is taken while something is left goes through whole, and what it is short of must
    flow in again before the next. So what a call takes need not be known beforehand, a call larger than
    the burst is not shut out for ever, and in any time t at most ``rate * (t + 1)`` and what was taken
    last go through.
    """

    def __init__(self, rate: float, now: float) -> None:
        """``rate`` is an amount a second; ``now`` and all later times are in seconds."""
        self._rate = rate
        self._left = rate
        self._at = now

    def wait(self, now: float) -> float:
        """Seconds until something is left; 0 if something is."""
        self._flow(now)
        return 0.0 if self._left > 0 else max(-self._left / self._rate, 1e-3)

    def take(self, amount: float, now: float) -> None:
        """Take ``amount``; below 0 it is given back."""
        self._flow(now)
        self._left = min(self._rate, self._left - amount)

    def _flow(self, now: float) -> None:
        # A clock that went back lets nothing flow.
        self._left = min(self._rate, self._left + max(0.0, now - self._at) * self._rate)
        self._at = max(self._at, now)


class Day:
    """What was spent since midnight UTC; times are seconds since 1970."""

    def __init__(self) -> None:
        self._spent = 0.0
        self._number = -1

    def wait(self, amount: float, now: float) -> float:
        """Seconds until something is left of ``amount`` a day; 0 if something is."""
        self._turn(now)
        return 0.0 if self._spent < amount else DAY_SECONDS - now % DAY_SECONDS

    def take(self, amount: float, now: float) -> None:
        """Spend ``amount``, which may be more than is left."""
        self._turn(now)
        self._spent += amount

    def _turn(self, now: float) -> None:
        if (number := int(now // DAY_SECONDS)) > self._number:
            self._number, self._spent = number, 0.0
