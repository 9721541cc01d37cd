"""A part of the requests over a real connection to a real server, whose log then has no error."""

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import grpc

from ..client import new_channel
from ..server_process import ServerProcess
from ..serving.soak import errors
from .fuzzed import Fuzzed
from .methods import HEADER, METHODS, metadata_of, method_of, seconds_of
from .verdict import FindingError, judge

IN_FLIGHT = 16
SECONDS = 30.0
"""A call that takes longer hangs."""
HANG_SHARE = 0.9
CHANGED = 0.5
"""Share of the inputs in which a few bytes are others."""


async def over_the_wire(bundle: Path, inputs: Sequence[bytes], count: int, seed: int) -> Fuzzed:
    """Send ``count`` of the inputs, some of them changed, to a server of the bundle."""
    chance = random.Random(seed)
    usable = [data for data in inputs if len(data) >= HEADER]
    outcomes: Counter[str] = Counter()
    findings: dict[str, str] = {}
    slowest = 0.0
    started = time.monotonic()

    async def send(channel: grpc.aio.Channel) -> None:
        nonlocal slowest
        for _ in range(-(-count // IN_FLIGHT)):
            data = _some(usable, chance)
            before = time.monotonic()
            try:
                outcomes[await _call(channel, data)] += 1
            except FindingError as finding:
                outcomes["finding"] += 1
                findings.setdefault(finding.digest, str(finding))
            slowest = max(slowest, time.monotonic() - before)

    # Admin calls are written down somewhere else, so that all of the log is the server's own.
    with ServerProcess(bundle, "--audit-log", os.devnull) as server:
        async with new_channel(server.address) as channel:
            await asyncio.gather(*(send(channel) for _ in range(IN_FLIGHT)))
    for line in errors(server.log)[:3]:
        findings[line] = f"an error in the server's log: {line}"
    seconds = time.monotonic() - started
    return Fuzzed(outcomes.total(), seconds, slowest, 0, len(usable), dict(outcomes), findings)


def _some(inputs: Sequence[bytes], chance: random.Random) -> bytes:
    data = bytearray(chance.choice(inputs))
    if chance.random() < CHANGED and len(data) > HEADER:
        for _ in range(chance.randint(1, 3)):
            data[chance.randrange(HEADER, len(data))] = chance.getrandbits(8)
    return bytes(data)


async def _call(channel: grpc.aio.Channel, data: bytes) -> str:
    """One call; a stream gets the message twice. Returns method and status, or raises ``FindingError``."""
    path, message = method_of(data), data[HEADER:]
    seconds, metadata, streaming = seconds_of(data), metadata_of(data), METHODS[path].client_streaming
    # A stream whose deadline is over before its messages are written fails in the client, in any way.
    timeout = SECONDS if streaming or seconds is None else max(seconds, 0.0)
    code, details, started = grpc.StatusCode.OK, "", time.monotonic()
    try:
        if streaming:
            call = channel.stream_stream(f"/{path}")([message, message], timeout=timeout, metadata=metadata)
            [reply async for reply in call]
        else:
            await channel.unary_unary(f"/{path}")(message, timeout=timeout, metadata=metadata)
    except grpc.aio.AioRpcError as error:
        code, details = error.code(), error.details() or ""
    # By the clock, for a request may bring a timeout of its own.
    if time.monotonic() - started > HANG_SHARE * SECONDS:
        raise FindingError(f"{path} hangs")
    try:
        return f"{path.rpartition('/')[2]} {judge(code, details)}"
    except FindingError as finding:
        raise FindingError(f"{path}: {finding}") from None
