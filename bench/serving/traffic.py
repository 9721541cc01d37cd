"""Load for the parts: ways to send calls to a server, and what a steady load on one gives."""

import contextlib
import itertools
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from strop.errors import StropError

from ..client import Client
from ..load import Samples, Send, closed_loop
from ..protocols import Wire
from ..statistics import percentile
from ..targets.turns import turns
from .usage import Usage

IN_FLIGHT = 64
"""Texts in flight in every closed loop that measures a rate."""
CHANNELS = 4
PATIENCE_SECONDS = 60.0
"""The deadline of calls that are meant to have none: whoever waits longer got no answer."""

Measured = TypeVar("Measured")


@dataclass(frozen=True)
class Calls:
    """Calls of one kind on one server."""

    send: Send
    order: Iterator[int]
    """The numbers of the calls to send, without end."""
    texts: int = 1
    """Texts in each."""


@contextlib.asynccontextmanager
async def unary(
    address: str,
    method: str,
    requests: Sequence[bytes],
    *,
    texts: int = 1,
    channels: int = CHANNELS,
    deadline: float = PATIENCE_SECONDS,
) -> AsyncIterator[Calls]:
    """Connections of their own over which each serialised request is a call."""
    async with Client(address, channels=channels, deadline=deadline) as client:
        order = itertools.cycle(range(len(requests)))
        yield Calls(lambda number: client.call(method, requests[number]), order, texts)


def encode(wire: Wire, texts: Sequence[str], per_call: int = 1) -> list[bytes]:
    """A request for each ``per_call`` texts; the last one is filled up from the front."""
    around = list(itertools.islice(itertools.cycle(texts), -(-len(texts) // per_call) * per_call))
    single = [(text,) for text in around]
    return [wire.encode(single[start : start + per_call]) for start in range(0, len(single), per_call)]


@dataclass(frozen=True)
class Steady:
    """What a closed loop gave; latencies in seconds, NaN for what was not measured."""

    rate: float
    """Texts answered per second."""
    p50: float = math.nan
    p99: float = math.nan
    """Calls that failed count as never answered; NaN where there are too few calls."""
    client_cores: float = math.nan
    server_cores: float = math.nan
    """CPU seconds per second."""


async def steady(calls: Calls, in_flight: int, seconds: float, usage: Usage) -> Steady:
    """Keep ``in_flight`` calls under way for ``seconds`` after a warm-up of at most a second.

    Raises ``StropError`` when no call is answered.
    """
    warmup = min(1.0, seconds / 4)
    cpu = usage.cpu_seconds
    samples = await closed_loop(calls.send, calls.order, in_flight, seconds, warmup=warmup)
    cpu = usage.cpu_seconds - cpu
    # Calls answered after the end are left out: then fewer than in_flight are under way.
    inside = answered(samples) & (samples.done <= samples.end)
    if not inside.any():
        why = next((f"{o.detail} ({o.status})" for o in samples.outcomes if o.detail), "none in time")
        raise StropError(f"the server answered no call: {why}")
    last = max(samples.end, float(samples.done.max()))
    return Steady(
        rate=int(inside.sum()) * calls.texts / (samples.end - samples.begin),
        p50=latency_percentile(samples, 50.0),
        p99=latency_percentile(samples, 99.0),
        client_cores=samples.client_cpu,
        server_cores=cpu / last,
    )


def answered(samples: Samples) -> NDArray[np.bool_]:
    """Which calls got an answer; shape [calls]."""
    return np.array([outcome.status == "OK" for outcome in samples.outcomes], dtype=np.bool_)


def latency_percentile(samples: Samples, percent: float, which: NDArray[np.bool_] | None = None) -> float:
    """A percentile in seconds over the calls ``which`` counts, without it all of them.

    A call without an answer took for ever; NaN where there are too few calls to tell.
    """
    latency = np.where(answered(samples), samples.latency, np.inf)
    value = percentile(latency if which is None else latency[which], percent)
    return math.nan if value is None else value


async def alternate(
    rounds: int, contenders: Mapping[str, Callable[[], Awaitable[Measured]]], say: Callable[[str], None]
) -> dict[str, list[Measured]]:
    """Measure each contender once a round, in ``turns``."""
    found: dict[str, list[Measured]] = {name: [] for name in contenders}
    for name, phrase in turns(rounds, contenders):
        say(phrase)
        found[name].append(await contenders[name]())
    return found
