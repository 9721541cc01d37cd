"""When an open loop means to send its calls: pure functions of rate, time and seed."""

from collections.abc import Sequence

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


def replay(arrived: Sequence[float], rate: float, seconds: float) -> FloatArray:
    """Send times in [0, seconds] with the gaps of a trace, scaled to ``rate`` a second; [n].

    ``arrived``: sorted times of at least two arrivals, not all at once. A trace that is too short
    starts over after its mean gap. The n = round(rate x seconds) arrivals are stretched until the
    one after them would fall on the end, so exactly ``rate`` is offered.
    """
    trace = np.asarray(arrived, dtype=np.float64) - arrived[0]
    period = trace[-1] + trace[-1] / (len(trace) - 1)
    count = round(rate * seconds)
    numbers = np.arange(count + 1)
    times: FloatArray = trace[numbers % len(trace)] + period * (numbers // len(trace))
    # A trace that begins with more arrivals at one time than are wanted sends them all at once.
    return times[:-1] / times[-1] * seconds if times[-1] > 0 else times[:-1]


def arrivals(
    kind: str, rate: float, seconds: float, seed: int, arrived: Sequence[float] = ()
) -> FloatArray:
    """Send times in seconds since the start, for ``kind`` "constant", "poisson" or "trace"."""
    if kind == "trace":
        return replay(arrived, rate, seconds)
    return constant(rate, seconds) if kind == "constant" else poisson(rate, seconds, seed)
