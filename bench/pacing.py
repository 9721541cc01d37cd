"""When an open loop means to send its calls: pure functions of rate, time and seed."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def constant(rate: float, seconds: float) -> FloatArray:
    """Send times in [0, seconds), one every 1 / rate seconds, the first at 0; shape [n]."""
    return np.arange(int(np.ceil(rate * seconds - 1e-9)), dtype=np.float64) / rate


def poisson(rate: float, seconds: float, seed: int) -> FloatArray:
    """Send times in [0, seconds) of independent users, ``rate`` a second on average; sorted, [n].

    Exactly round(rate x seconds) arrivals: given their number, the arrivals of a Poisson process
    are uniform over the time, so the offered rate doesn't vary with the seed.
    """
    count = round(rate * seconds)
    return np.sort(np.random.default_rng(seed).uniform(0.0, seconds, count))


def arrivals(kind: str, rate: float, seconds: float, seed: int) -> FloatArray:
    """Send times in seconds since the start, for ``kind`` "constant" or "poisson"."""
    return constant(rate, seconds) if kind == "constant" else poisson(rate, seconds, seed)
