"""The load generator's own error, ``python -m strop.bench.generator``: known service times, measured.

A stall shows, too, whether a slow server can hide by holding up the calls that would have told on it:
coordinated omission (Gil Tene, How NOT to Measure Latency, 2015).
"""

import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import cyclopts
import numpy as np
import uvloop
from cyclopts import Parameter
from rich.console import Console

from strop.host import read_host, read_versions

from .client import Client, Outcome
from .jobs import ClosedJob, OpenJob
from .load import Samples, Send
from .pacing import constant, poisson
from .serving.echo import STALL, WAIT, echo_server
from .statistics import percentile
from .targets.report import TargetReport
from .targets.rows import Row, Target

SERVICE_SECONDS = (0.002, 0.005, 0.02, 0.1)
RATE = 200.0
"""Calls a second: far below what the client can send."""
IN_FLIGHT = 4
BOUND_SHARE, BOUND_SECONDS = 0.02, 0.0002
"""How far the median may be off: the larger of the two."""
STALL_SECONDS = 1.0
STALL_RUN_SECONDS = 10.0
QUICK_SECONDS = 0.005
"""What a call takes that meets no stall."""
PACKAGES = ("grpcio", "numpy", "uvloop")


@Parameter(name="*")
@dataclass(frozen=True)
class GeneratorConfig:
    """How long, how often, and where the report goes."""

    seconds: float = 5.0
    """Seconds of each load."""
    rounds: int = 5
    """How often each is measured; the median counts."""
    out: Path = Path("bench/results")
    """Folder for the report."""


class KnownServer:
    """A server inside the client: takes some seconds and notes how long it really took."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    async def send(self, _: int) -> Outcome:
        """Take the time; the reply tells it, in seconds."""
        begun = time.perf_counter()
        await asyncio.sleep(self._seconds)
        return Outcome("OK", repr(time.perf_counter() - begun).encode())


def error(samples: Samples) -> float:
    """By how many seconds the median latency measured is off from the one that the server tells."""
    told = np.array([float(outcome.reply) for outcome in samples.outcomes])
    return float(np.median(samples.latency) - np.median(told))


def loops(seconds: float) -> dict[str, OpenJob | ClosedJob]:
    """An open and a closed loop of so many seconds, by name."""
    return {
        f"open loop, {RATE:g}/s": OpenJob(poisson(RATE, seconds, 0), seconds, 0.0, 0),
        f"closed loop, {IN_FLIGHT} in flight": ClosedJob(IN_FLIGHT, seconds, 0.0, 0, 10**6),
    }


async def stalled(send: Send, seconds: float, rate: float) -> tuple[Samples, Samples]:
    """An open loop, and one caller that waits for each answer, on a server that stalls once.

    ``send`` is to stall on request ``rate * seconds / 2`` of so many, and to answer the others quickly.
    """
    calls = round(rate * seconds)
    opened = await OpenJob(constant(rate, seconds), seconds, 0.0, 0).run(send, calls)
    naive = await ClosedJob(1, seconds, 0.0, 0, calls).run(send, calls)
    return opened, naive


def generator(config: GeneratorConfig | None = None) -> None:
    """Measure it, print the table and save it."""
    config = config or GeneratorConfig()
    console, created = Console(), datetime.now().astimezone()
    report = TargetReport(
        "strop.bench-generator/1",
        "The load generator's own error",
        created,
        read_host(),
        os.getloadavg()[0],
        read_versions(PACKAGES),
        config,
        "known service times",
    )
    with console.status("service times inside the client"):
        report.parts["inside"] = uvloop.run(_inside(config))
    with echo_server() as server, console.status("service times over gRPC, and a stall"):
        report.parts["over gRPC"] = uvloop.run(_over_grpc(server.address, config))
        report.parts["stall"] = uvloop.run(_stall(server.address, config))
    path = report.write()
    report.show(console)
    console.print(f"report: {path} and .json", markup=False, soft_wrap=True)


async def _inside(config: GeneratorConfig) -> list[Row]:
    rows = []
    for service in SERVICE_SECONDS:
        bound = Target("at most", 1e3 * max(BOUND_SHARE * service, BOUND_SECONDS))
        for name, job in loops(config.seconds).items():
            found = [await job.run(KnownServer(service).send, 1) for _ in range(config.rounds)]
            rows.append(_row(f"{1e3 * service:g} ms, {name}", found, bound))
    return rows


async def _over_grpc(address: str, config: GeneratorConfig) -> list[Row]:
    rows = []
    async with Client(address, channels=4) as client:
        for service in SERVICE_SECONDS:

            async def send(_: int, request: bytes = repr(service).encode()) -> Outcome:
                return await client.call(WAIT, request)

            for name, job in loops(config.seconds).items():
                found = [await job.run(send, 1) for _ in range(config.rounds)]
                rows.append(_row(f"{1e3 * service:g} ms over gRPC, {name}", found, None))
    return rows


def _row(name: str, found: Sequence[Samples], target: Target | None) -> Row:
    note = (
        "median latency measured less the median that the server took"
        if target
        else "the same, with what gRPC and a second process take for both ways: real latency, not an error"
    )
    return Row(f"error at {name}", [1e3 * abs(error(one)) for one in found], target, "ms", note)


async def _stall(address: str, config: GeneratorConfig) -> list[Row]:
    middle = round(RATE * STALL_RUN_SECONDS) // 2
    quick, stall = repr(QUICK_SECONDS).encode(), repr(STALL_SECONDS).encode()
    opened, naive = [], []
    async with Client(address) as client:

        async def send(number: int) -> Outcome:
            return await (client.call(STALL, stall) if number == middle else client.call(WAIT, quick))

        for _ in range(config.rounds):
            one, other = await stalled(send, STALL_RUN_SECONDS, RATE)
            opened.append(1e3 * (percentile(one.latency, 99.0) or 0.0))
            naive.append(1e3 * (percentile(other.latency, 99.0) or 0.0))
    # A tenth of the calls is meant for the stall; the last hundredth of all is a tenth of those.
    truth = 1e3 * STALL_SECONDS * (1 - 0.01 * STALL_RUN_SECONDS / STALL_SECONDS)
    return [
        Row(
            f"p99 over a stall of {STALL_SECONDS:g} s, open loop",
            opened,
            Target("at least", round(0.98 * truth)),
            "ms",
            f"{RATE:g} calls/s for {STALL_RUN_SECONDS:g} s: a call meant for the stall waits it out, so"
            f" the true p99 is {truth:.0f} ms",
        ),
        Row(
            "p99 over the same stall, a naive closed loop",
            naive,
            None,
            "ms",
            "one caller that waits for each answer meets the stall once, and sends nothing meanwhile",
        ),
    ]


if __name__ == "__main__":
    cyclopts.run(generator)
