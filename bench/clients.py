"""Several client processes that share one load, where one would be the bottleneck."""

import asyncio
import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any

import uvloop

from strop.errors import StropError

from .client import Outcome
from .config import BenchConfig
from .jobs import Drive, Job
from .load import Samples, together
from .target import caller

LEAD_SECONDS = 0.1
"""How far ahead a common start is set: every process has its job by then."""
LOCAL = ("localhost", "127.", "[::1]", "unix:")


def is_local(address: str) -> bool:
    """Whether a server at that address, or URL, shares this machine."""
    return address.startswith(LOCAL) or address.partition("://")[2].startswith(LOCAL)


def most_clients(address: str, cores: int | None = None) -> int:
    """As many client processes as may be started: one a core, half of them where the server needs some."""
    cores = cores or len(os.sched_getaffinity(0))
    return max(1, cores // 2 if is_local(address) else cores)


@asynccontextmanager
async def processes(config: BenchConfig, method: str, requests: Sequence[bytes]) -> AsyncIterator[Drive]:
    """``config.clients`` processes, each connected with its share of the channels.

    Raises ``StropError`` when one can't connect or dies.
    """
    context = multiprocessing.get_context("spawn")
    count = config.clients or 1
    pipes: list[Connection] = []
    children = []
    try:
        for _ in range(count):
            ours, theirs = context.Pipe()
            child = context.Process(
                target=_child, args=(config, method, tuple(requests), theirs), daemon=True
            )
            child.start()
            theirs.close()
            pipes.append(ours)
            children.append(child)
        await asyncio.gather(*(_receive(pipe) for pipe in pipes))  # connected

        async def drive(job: Job) -> Samples:
            start = time.perf_counter() + LEAD_SECONDS
            for number, pipe in enumerate(pipes):
                pipe.send(job.share(number, count, start))
            return together(await asyncio.gather(*(_receive(pipe) for pipe in pipes)))

        yield drive
    finally:
        for child in children:
            child.kill()
            child.join()
        for pipe in pipes:
            pipe.close()


async def _receive(pipe: Connection) -> Any:
    try:
        came = await asyncio.to_thread(pipe.recv)
    except EOFError as error:
        raise StropError("a client process ended before its load did; see above") from error
    if isinstance(came, StropError):
        raise came
    return came


def _child(config: BenchConfig, method: str, requests: Sequence[bytes], pipe: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started it ends it
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        uvloop.run(_work(config, method, requests, pipe))
    except StropError as error:
        pipe.send(error)


async def _work(config: BenchConfig, method: str, requests: Sequence[bytes], pipe: Connection) -> None:
    channels = -(-config.channels // (config.clients or 1))
    async with caller(replace(config, channels=channels, clients=1)) as client:

        async def send(number: int) -> Outcome:
            return await client.call(method, requests[number])

        pipe.send("connected")
        with contextlib.suppress(EOFError):  # whoever started it has gone
            while True:
                job: Job = await asyncio.to_thread(pipe.recv)
                pipe.send(await job.run(send, len(requests)))
