"""Overload: three times the capacity with tight deadlines, what comes after, and no deadlines at all."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from statistics import median

import numpy as np

from ..load import Samples, open_loop
from ..pacing import FloatArray, poisson
from ..protocols import TypedWire
from ..statistics import percentile
from ..targets.rows import Row, Target
from .setting import Setting
from .traffic import IN_FLIGHT, Calls, answered, encode, latency_percentile, steady, unary
from .usage import Usage, watched_memory

BURST = 3.0
CALM = 0.5
"""Load in the burst, and before and after it, as shares of the capacity."""
DEADLINE_SECONDS = 0.2
ACCEPT_BACKLOG = 64
"""What strop serve's help recommends for such deadlines; without deadlines it is left at its default."""
RECOVERY_SECONDS = 2.0
"""How long after the burst the latency must be normal."""
WINDOW_CALLS = 400
"""Calls in a window, at least: the 1 % above its p99 are then four."""
NORMAL = 1.5
REFUSAL_MS = 50.0


@dataclass(frozen=True)
class Burst:
    """One round; shares of the capacity and of what was normal before."""

    capacity: float
    goodput: float
    memory_growth: float
    calm_p99: float
    """Seconds, before the burst."""
    client_lag: float
    """By how much the latest hundredth of the sends came after their intention; seconds."""
    recovery: float
    """The worst window's p99 after it, from RECOVERY_SECONDS on, divided by ``calm_p99``."""


@dataclass(frozen=True)
class Flood:
    """One round without deadlines."""

    refusal_p99: float
    """Seconds until a refused call heard of it; NaN where too few were refused."""
    refused: float
    """Share of the calls."""
    unanswered: int
    """Calls that were neither answered nor refused."""


async def overload(setting: Setting) -> list[Row]:
    """Goodput, memory and recovery under deadlines, then how fast a full queue refuses."""
    bursts, floods = [], []
    with setting.server("--accept-backlog", ACCEPT_BACKLOG) as hurried, setting.server() as patient:
        usage = Usage(hurried.pid)
        for number in range(setting.config.rounds):
            say = f"round {number + 1} of {setting.config.rounds}"
            bursts.append(await _burst(setting, hurried.address, usage, number, say))
            setting.say(f"{say}: {BURST:g} × capacity without deadlines")
            floods.append(await _flood(setting, patient.address, number, bursts[-1].capacity))
    return _rows(setting, bursts, floods)


async def _burst(setting: Setting, address: str, usage: Usage, number: int, say: str) -> Burst:
    wire, config = TypedWire(setting.served), setting.config
    requests = encode(wire, setting.texts)
    setting.say(f"{say}: capacity")
    async with unary(address, wire.method, requests) as calls:
        capacity = (await steady(calls, IN_FLIGHT, config.seconds, usage)).rate
    calm = 2 * config.seconds
    rates = (CALM * capacity, BURST * capacity, CALM * capacity)
    lasts = (calm, config.burst_seconds, RECOVERY_SECONDS + calm)
    setting.say(f"{say}: {BURST:g} × capacity, {1e3 * DEADLINE_SECONDS:g} ms deadlines")
    async with (
        unary(address, wire.method, requests, deadline=DEADLINE_SECONDS) as calls,
        watched_memory(usage) as memory,
    ):
        begun = time.perf_counter()
        times = steps(rates, lasts, config.seed + number)
        samples = await open_loop(calls.send, calls.order, times, sum(lasts))
    start, end = calm, calm + config.burst_seconds
    before = [size for when, size in memory if when < begun + start]
    during = [size for when, size in memory if begun + start <= when]
    normal = latency_percentile(samples, 99.0, within(samples, 0.0, start))
    good = answered(samples) & (samples.latency <= DEADLINE_SECONDS) & within(samples, start, end)
    tails = [
        latency_percentile(samples, 99.0, within(samples, *window))
        for window in windows(end + RECOVERY_SECONDS, sum(lasts), rates[-1])
    ]
    return Burst(
        capacity=capacity,
        goodput=int(good.sum()) / config.burst_seconds / capacity,
        memory_growth=max(during, default=before[-1]) / median(before) - 1,
        calm_p99=normal,
        client_lag=percentile(samples.lag, 99.0) or math.nan,
        recovery=float(np.max(tails)) / normal,
    )


async def _flood(setting: Setting, address: str, number: int, capacity: float) -> Flood:
    wire, seconds = TypedWire(setting.served), 2 * setting.config.seconds
    requests = encode(wire, setting.texts)
    async with unary(address, wire.method, requests) as calls:
        samples = await _offer(calls, BURST * capacity, seconds, setting.config.seed + number)
    refused = np.array([one.status == "RESOURCE_EXHAUSTED" for one in samples.outcomes], dtype=np.bool_)
    return Flood(
        refusal_p99=percentile(samples.latency[refused], 99.0) or math.nan,
        refused=float(refused.mean()),
        unanswered=int((~refused & ~answered(samples)).sum()),
    )


async def _offer(calls: Calls, rate: float, seconds: float, seed: int) -> Samples:
    return await open_loop(calls.send, calls.order, poisson(rate, seconds, seed), seconds)


def steps(rates: Sequence[float], seconds: Sequence[float], seed: int) -> FloatArray:
    """Poisson send times at each of ``rates`` for so many seconds, one after the other; sorted, [n]."""
    starts = accumulate(seconds, initial=0.0)
    return np.concatenate(
        [
            start + poisson(rate, length, seed + place)
            for place, (start, rate, length) in enumerate(zip(starts, rates, seconds, strict=False))
        ]
    )


def windows(start: float, end: float, rate: float) -> list[tuple[float, float]]:
    """Equal windows from ``start`` to ``end``, as many as hold WINDOW_CALLS each; at least one."""
    count = max(1, int((end - start) * rate / WINDOW_CALLS))
    return list(pairwise(np.linspace(start, end, count + 1).tolist()))


def within(samples: Samples, start: float, end: float) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which calls were meant to be sent from ``start`` until ``end``; shape [calls]."""
    inside: np.ndarray[tuple[int], np.dtype[np.bool_]]
    inside = (start <= samples.intended) & (samples.intended < end)
    return inside


def _rows(setting: Setting, bursts: Sequence[Burst], floods: Sequence[Flood]) -> list[Row]:
    burst = f"{BURST:g} × capacity"
    return [
        Row("capacity", [one.capacity for one in bursts], unit="texts/s", note=f"{IN_FLIGHT} in flight"),
        Row(
            f"goodput at {burst}",
            [one.goodput for one in bursts],
            Target("at least", 0.85),
            note=f"as a share of capacity: answers within {1e3 * DEADLINE_SECONDS:g} ms of the intended"
            f" send, for {setting.config.burst_seconds:g} s; --accept-backlog {ACCEPT_BACKLOG}",
        ),
        Row(
            f"memory growth at {burst}",
            [100 * one.memory_growth for one in bursts],
            Target("below", 5.0),
            "%",
            "highest resident size from the burst on over the median before it",
        ),
        Row(
            "the client's own delay, p99",
            [1e3 * one.client_lag for one in bursts],
            unit="ms",
            note="between intended and actual send: part of every latency here",
        ),
        Row(
            f"p99 at {CALM:g} × capacity, before",
            [1e3 * one.calm_p99 for one in bursts],
            unit="ms",
        ),
        Row(
            "worst p99 after / before",
            [one.recovery for one in bursts],
            Target("at most", NORMAL),
            note=f"both at {CALM:g} × capacity; after: from {RECOVERY_SECONDS:g} s after the burst on, in"
            f" windows of {WINDOW_CALLS} calls or more",
        ),
        Row(
            "no deadlines: refusals' p99",
            [1e3 * one.refusal_p99 for one in floods],
            Target("at most", REFUSAL_MS),
            "ms",
            f"RESOURCE_EXHAUSTED, at {burst}; from the intended send",
        ),
        Row("no deadlines: refused", [100 * one.refused for one in floods], unit="%", note="of the calls"),
        Row(
            "no deadlines: left unanswered",
            [one.unanswered for one in floods],
            Target("at most", 0),
            "calls",
            "neither answered nor refused",
        ),
    ]
