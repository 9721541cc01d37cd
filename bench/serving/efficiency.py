"""Efficiency: what is left of the engine's own best rate once gRPC, queue and batcher stand before it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from itertools import cycle

import numpy as np

from strop.host import usable_cores

from ..protocols import TypedWire
from ..stream_protocols import OpenInferenceStreamWire
from ..targets.rows import Row, Target, ratios, untargeted
from .echo import METHOD, echo_server
from .offline import Offline, Plan, choose, plans
from .setting import Setting
from .streams import Streams
from .traffic import CHANNELS, IN_FLIGHT, Calls, Steady, alternate, encode, steady, unary
from .usage import Usage

BULK = 16
"""Texts in a call of the bulk contender, of which IN_FLIGHT / BULK are in flight."""

OFFLINE, ONE, STREAM, MANY, ECHO = "offline", "unary", "stream", "bulk", "echo"
LONE, BARE, LONE_ECHO = "one in flight", "bare run", "echo, one in flight"


async def efficiency(setting: Setting) -> list[Row]:
    """The served rates over the offline one, and a lone call's time over the bare run's."""
    rows: list[Row] = []
    for variant in setting.variants:
        offline = Offline(setting.bundle, variant, setting.texts)
        plan = await asyncio.to_thread(_best, setting, offline, variant)
        found = _rows(variant, plan, await _measure(setting, variant, offline, plan))
        rows += found if variant == setting.variant else untargeted(found)
    return rows


def _best(setting: Setting, offline: Offline, variant: str) -> Plan:
    def measure(plan: Plan) -> float:
        setting.say(f"{variant}, search of the best offline batching: {plan}")
        return offline.rate(plan, 0.0)

    return choose(plans(usable_cores()), measure)


async def _measure(setting: Setting, variant: str, offline: Offline, plan: Plan) -> dict[str, list[Steady]]:
    config, texts = setting.config, setting.texts
    wire, stream_wire = TypedWire(setting.served), OpenInferenceStreamWire(setting.served)
    typical = typical_texts(offline.lengths)
    async with AsyncExitStack() as stack:
        server = stack.enter_context(setting.server(variant=variant))
        echo = stack.enter_context(echo_server())
        served, hollow = Usage(server.pid), Usage(echo.pid)

        async def calls(address: str, method: str, requests: list[bytes], **options: int) -> Calls:
            return await stack.enter_async_context(unary(address, method, requests, **options))

        singles = encode(wire, texts)
        lone = [singles[number] for number in typical]
        streams = await stack.enter_async_context(Streams(server.address, stream_wire, streams=CHANNELS))
        messages = encode(stream_wire, texts)
        streamed = Calls(lambda number: streams.call(messages[number]), cycle(range(len(messages))))

        def closed(load: Calls, in_flight: int, usage: Usage) -> Callable[[], Awaitable[Steady]]:
            return lambda: steady(load, in_flight, config.seconds, usage)

        async def in_process() -> Steady:
            return Steady(await asyncio.to_thread(offline.rate, plan, config.seconds))

        async def bare() -> Steady:
            return await asyncio.to_thread(_bare, offline, typical, setting.threads, config.seconds)

        bulk = await calls(server.address, wire.method, encode(wire, texts, BULK), texts=BULK)
        contenders: dict[str, Callable[[], Awaitable[Steady]]] = {
            OFFLINE: in_process,
            ONE: closed(await calls(server.address, wire.method, singles), IN_FLIGHT, served),
            STREAM: closed(streamed, IN_FLIGHT, served),
            MANY: closed(bulk, IN_FLIGHT // BULK, served),
            ECHO: closed(await calls(echo.address, METHOD, singles), IN_FLIGHT, hollow),
            LONE: closed(await calls(server.address, wire.method, lone, channels=1), 1, served),
            BARE: bare,
            LONE_ECHO: closed(await calls(echo.address, METHOD, lone, channels=1), 1, hollow),
        }
        return await alternate(config.rounds, contenders, lambda word: setting.say(f"{variant}, {word}"))


def typical_texts(lengths: Sequence[int]) -> list[int]:
    """The numbers of all texts of the median length: what takes the engine the same time."""
    median = sorted(lengths)[len(lengths) // 2]
    return [number for number, length in enumerate(lengths) if length == median]


def _bare(offline: Offline, texts: Sequence[int], threads: int, seconds: float) -> Steady:
    end = time.perf_counter() + seconds
    took: list[float] = []
    while time.perf_counter() < end:
        took.append(offline.run_seconds(texts[len(took) % len(texts)], threads))
    return Steady(1 / float(np.mean(took)), float(np.median(took)))


def _rows(variant: str, plan: Plan, found: dict[str, list[Steady]]) -> list[Row]:
    rate = {name: [one.rate for one in rounds] for name, rounds in found.items()}
    p50 = {name: [one.p50 for one in rounds] for name, rounds in found.items()}
    above = [lone - bare for lone, bare in zip(p50[LONE], p50[BARE], strict=True)]
    echo_cpu = [(one.client_cores + one.server_cores) / one.rate for one in found[ECHO]]
    echo_share = [100 * cpu * r / usable_cores() for cpu, r in zip(echo_cpu, rate[ONE], strict=True)]
    note = f"of the best rate in-process, on texts that are tokens already: {plan}"
    return [
        Row(f"{variant}: offline", rate[OFFLINE], unit="texts/s", note=str(plan)),
        *_share(f"{variant}: one a call", rate[ONE], rate[OFFLINE], 0.85, note),
        Row(
            f"{variant}: echo's share of the CPU",
            echo_share,
            unit="%",
            note="what as many calls of an empty echo cost server and client together, at"
            f" {1e3 * float(np.median(echo_cpu)):.2f} ms of CPU each",
        ),
        *_share(f"{variant}: over a stream", rate[STREAM], rate[OFFLINE], 0.90, note),
        *_share(f"{variant}: {BULK} a call", rate[MANY], rate[OFFLINE], 0.95, note),
        *_milliseconds(f"{variant}: one in flight, p50", p50[LONE]),
        *_milliseconds(f"{variant}: bare session.run, p50", p50[BARE]),
        *_milliseconds(f"{variant}: one echo, p50", p50[LONE_ECHO]),
        Row(
            f"{variant}: one in flight over bare",
            ratios(above, p50[LONE_ECHO]),
            Target("at most", 1.25),
            unit="echoes",
            note="(p50 of a served call - p50 of session.run on the same texts) / p50 of the echo; texts"
            " of the median length",
        ),
    ]


def _share(name: str, rate: list[float], offline: list[float], bound: float, note: str) -> list[Row]:
    return [
        Row(name, rate, unit="texts/s", note=f"{IN_FLIGHT} texts in flight"),
        Row(f"{name} / offline", ratios(rate, offline), Target("at least", bound), note=note),
    ]


def _milliseconds(name: str, seconds: list[float]) -> list[Row]:
    return [Row(name, [1e3 * value for value in seconds], unit="ms")]
