"""When an open loop means to send its calls: pure functions of rate, time and seed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

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


def bursts(rate: float, seconds: float, seed: int, factor: float, period: float) -> FloatArray:
    """Send times in [0, seconds) that all fall into bursts: every ``period`` seconds one begins; [n].

    For period / factor seconds independent users come ``factor`` times as often as on average, then none
    (an interrupted Poisson process with fixed times). Exactly round(rate x seconds) arrivals.
    """
    burst = period / factor
    whole = math.floor(seconds / period)
    busy = whole * burst + min(burst, seconds - whole * period)
    times = poisson(round(rate * seconds) / busy, busy, seed)
    # The busy time, cut into bursts and laid where they belong.
    number = np.floor(times / burst)
    return np.minimum(number * period + (times - number * burst), np.nextafter(seconds, 0.0))


def steps(first: float, last: float, count: int) -> list[float]:
    """The rates of a stepped ramp, evenly spaced from ``first`` to ``last``, both included."""
    return [float(rate) for rate in np.linspace(first, last, count)]


@dataclass(frozen=True)
class Shape:
    """How an open loop spaces its calls, whatever its rate."""

    kind: str
    """"constant", "poisson", "burst" or "trace"."""
    arrived: Sequence[float] = ()
    """Of a trace, as ``replay`` takes it."""
    factor: float = 1.0
    """Of bursts, as ``bursts`` takes it, like their period."""
    period: float = 1.0

    def times(self, rate: float, seconds: float, seed: int) -> FloatArray:
        """Send times in seconds since the start, ``rate`` a second."""
        if self.kind == "trace":
            return replay(self.arrived, rate, seconds)
        if self.kind == "burst":
            return bursts(rate, seconds, seed, self.factor, self.period)
        return constant(rate, seconds) if self.kind == "constant" else poisson(rate, seconds, seed)
