"""Fairness: what one client's flood of texts does to another client that asks for little."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from strop.errors import StropError
from strop.host import usable_cores

from ..load import Samples, closed_loop, open_loop
from ..pacing import poisson
from ..protocols import TypedWire
from ..server_process import ServerProcess
from ..targets.rows import Row, Target
from .metrics import read_metrics
from .setting import Setting
from .traffic import IN_FLIGHT, Calls, encode, latency_percentile, steady, unary
from .usage import Usage

QUEUED_TEXTS = 10_000
TEXTS_PER_CALL = 16
SHARE = 0.2
"""What the other client offers, as a share of the capacity."""
BATCHES = 3.0
"""The bound: by how many batch times its p99 may be longer than alone."""
PRIORITIES = ("interactive", "bulk")
QUEUE_SECONDS = 60.0
POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Beside:
    """The small client beside the flood; seconds."""

    p99: float
    batch: float
    """How long an engine took for a batch meanwhile."""


async def fairness(setting: Setting) -> list[Row]:
    """The small client's p99 alone and beside ten thousand queued texts of another, by priority."""
    config, wire = setting.config, TypedWire(setting.served)
    options = (
        # Room to spare: one connection may hold no more than a part of the queue.
        *("--queue-texts", 4 * QUEUED_TEXTS),
        *("--queue-tokens", 4 * QUEUED_TEXTS * setting.bundle.manifest.max_tokens),
        *("--instances", usable_cores() // setting.threads),
    )
    alone: list[float] = []
    beside: dict[str, list[Beside]] = {priority: [] for priority in PRIORITIES}
    requests = encode(wire, setting.texts)
    with setting.server(*options) as server:
        async with unary(server.address, wire.method, requests, channels=1) as calls:
            setting.say("capacity")
            capacity = (await steady(calls, IN_FLIGHT, config.seconds, Usage(server.pid))).rate
            for number in range(config.rounds):
                setting.say(f"round {number + 1} of {config.rounds}: alone")
                alone.append(await _p99(setting, calls, SHARE * capacity, number))
                for priority in PRIORITIES:
                    setting.say(f"round {number + 1} of {config.rounds}: beside a flood, {priority}")
                    async with _flood(setting, server, priority):
                        found = await _beside(setting, server, calls, SHARE * capacity, number)
                    beside[priority].append(found)
    return _rows(capacity, alone, beside)


async def _beside(
    setting: Setting, server: ServerProcess, calls: Calls, rate: float, number: int
) -> Beside:
    clock = asyncio.get_running_loop().time
    before, begun = (await read_metrics(server.metrics_address))["strop_batch_texts_count"], clock()
    p99 = await _p99(setting, calls, rate, number)
    after, ended = (await read_metrics(server.metrics_address))["strop_batch_texts_count"], clock()
    engines = usable_cores() // setting.threads
    return Beside(p99, engines * (ended - begun) / (after - before))


async def _p99(setting: Setting, calls: Calls, rate: float, number: int) -> float:
    seconds = 2 * setting.config.seconds
    times = poisson(rate, seconds, setting.config.seed + number)
    return latency_percentile(await open_loop(calls.send, calls.order, times, seconds), 99.0)


@contextlib.asynccontextmanager
async def _flood(setting: Setting, server: ServerProcess, priority: str) -> AsyncIterator[None]:
    """Another client, with ten thousand texts in the server's queue from here to the block's end."""
    wire = TypedWire(setting.served)
    requests = [
        wire.with_priority(request, priority) for request in encode(wire, setting.texts, TEXTS_PER_CALL)
    ]
    async with unary(
        server.address, wire.method, requests, texts=TEXTS_PER_CALL, channels=1, deadline=3600.0
    ) as calls:
        in_flight = QUEUED_TEXTS // TEXTS_PER_CALL
        load = asyncio.create_task(closed_loop(calls.send, calls.order, in_flight, float("inf")))
        try:
            await _queue(server, lambda texts: texts >= 0.9 * QUEUED_TEXTS, load)
            yield
        finally:
            load.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await load
    await _queue(server, lambda texts: texts == 0)


async def _queue(
    server: ServerProcess, wanted: Callable[[float], bool], load: "asyncio.Task[Samples] | None" = None
) -> None:
    """Wait until as many texts as ``wanted`` are queued; ``StropError`` if that never comes."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + QUEUE_SECONDS
    while not wanted(texts := (await read_metrics(server.metrics_address))["strop_queue_texts"]):
        if clock() > deadline or (load and load.done()):
            raise StropError(f"the server's queue stayed at {texts:.0f} texts for {QUEUE_SECONDS:.0f} s")
        await asyncio.sleep(POLL_SECONDS)


def _rows(capacity: float, alone: list[float], beside: dict[str, list[Beside]]) -> list[Row]:
    rows = [
        Row("capacity", [capacity], unit="texts/s", note=f"{IN_FLIGHT} in flight"),
        Row(
            f"p99 alone, at {SHARE:g} × capacity",
            [1e3 * p99 for p99 in alone],
            unit="ms",
            note="one text a call, on a connection of its own",
        ),
    ]
    for priority, found in beside.items():
        above = [(one.p99 - p99) / one.batch for one, p99 in zip(found, alone, strict=True)]
        rows += [
            Row(
                f"{priority}: p99 in the flood",
                [1e3 * one.p99 for one in found],
                unit="ms",
                note=f"another client keeps {QUEUED_TEXTS:,} texts of that priority queued, in calls"
                f" of {TEXTS_PER_CALL}",
            ),
            Row(
                f"{priority}: a batch's time",
                [1e3 * one.batch for one in found],
                unit="ms",
                note="meanwhile: engines × seconds / batches",
            ),
            Row(
                f"{priority}: p99 above alone",
                above,
                Target("at most", BATCHES),
                "batches",
                "in times that a batch takes meanwhile",
            ),
        ]
    return rows
