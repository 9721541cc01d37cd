"""Counts over the last minutes and the last hour, in memory that doesn't grow."""

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

SLOT_SECONDS = 60.0
WINDOWS = {"5m": 5, "1h": 60}
"""Whole slots of each window; what the slot that is being filled has comes on top."""


class SlidingCounts:
    """Counts of some bins, slot by slot."""

    def __init__(self, bins: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        slots = max(WINDOWS.values()) + 1
        self._counts = np.zeros((slots, bins), np.int64)
        self._numbers = np.full(slots, -slots)

    def now(self) -> NDArray[np.int64]:
        """The counts of the slot that is being filled, [bins], to be added to."""
        number = int(self._clock() // SLOT_SECONDS)
        place = number % len(self._counts)
        if self._numbers[place] != number:
            self._numbers[place] = number
            self._counts[place] = 0
        row: NDArray[np.int64] = self._counts[place]
        return row

    def over(self, window: str) -> NDArray[np.int64]:
        """The counts of a window, [bins]."""
        number = int(self._clock() // SLOT_SECONDS)
        recent = self._numbers >= number - WINDOWS[window]
        total: NDArray[np.int64] = self._counts[recent].sum(axis=0)
        return total
