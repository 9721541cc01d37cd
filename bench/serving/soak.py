"""The soak: a quarter of an hour of calls, faults and reconnects, and what the server then holds."""

import asyncio
import json
from collections.abc import Sequence
from statistics import median

from ..load import Samples
from ..protocols import TypedWire
from ..server_process import ServerProcess
from ..targets.rows import Row, Target
from .metrics import read_metrics
from .offline import Offline
from .setting import Setting
from .soak_load import EXAMPLES, TEXTS_PER_CALL, Soak
from .traffic import IN_FLIGHT, encode, latency_percentile, steady, unary
from .usage import Usage, watched_memory

LOAD = 0.8
WARM_UP_SECONDS = 60.0
EDGE_SHARE = 0.1
"""Memory at the end is the median of this share of the soak, as it is at the beginning."""
SETTLE_SECONDS = 10.0


async def soak(setting: Setting) -> list[Row]:
    """Errors of any kind over the soak, and what the server still holds afterwards."""
    config = setting.config
    seconds = 60 * config.soak_minutes
    setting.say("soak: the offline answers")
    offline = Offline(setting.bundle, setting.variant, setting.texts)
    expected = await asyncio.to_thread(offline.answers)
    with setting.server() as server:
        usage = Usage(server.pid)
        rate = LOAD * await _capacity(setting, server, usage) / TEXTS_PER_CALL
        run = Soak(setting, server.address, expected, config.seed)
        setting.say("soak: warm-up")
        await run.run(rate, min(WARM_UP_SECONDS, seconds / 4))
        before = await _settled(usage, None)
        setting.say(f"soak: {config.soak_minutes:g} minutes at {rate:.0f} calls/s")
        async with watched_memory(usage) as memory:
            samples = await run.run(rate, seconds)
        after = await _settled(usage, before)
        left = (await read_metrics(server.metrics_address))["strop_in_flight_requests"]
    held = (after[0] - before[0], after[1] - before[1], left)
    return _rows(run, samples, [size for _, size in memory], held, errors(server.log))


async def _capacity(setting: Setting, server: ServerProcess, usage: Usage) -> float:
    wire = TypedWire(setting.served)
    setting.say("soak: capacity")
    async with unary(server.address, wire.method, encode(wire, setting.texts)) as calls:
        return (await steady(calls, IN_FLIGHT, setting.config.seconds, usage)).rate


async def _settled(usage: Usage, before: tuple[int, int] | None) -> tuple[int, int]:
    """Open files and threads once they are no more than ``before``, or stay; or after a while."""
    clock = asyncio.get_running_loop().time
    deadline = clock() + SETTLE_SECONDS
    found = usage.open_files, usage.threads
    while True:
        await asyncio.sleep(SETTLE_SECONDS / 20)
        last, found = found, (usage.open_files, usage.threads)
        least = before or last
        if (found[0] <= least[0] and found[1] <= least[1]) or clock() > deadline:
            return found


def errors(log: str) -> list[str]:
    """The lines of a server's log that are errors, or that are not log lines at all."""
    found = []
    for line in log.splitlines():
        try:
            level = json.loads(line)["level"]
        except (ValueError, KeyError, TypeError):
            level = "critical"
        if level in ("error", "critical"):
            found.append(line)
    return found


def growth(sizes: Sequence[int]) -> float:
    """By how much the median size of the last tenth is above that of the first, as a share."""
    edge = max(1, int(len(sizes) * EDGE_SHARE))
    return median(sizes[-edge:]) / median(sizes[:edge]) - 1


def _rows(
    run: Soak,
    samples: Samples,
    memory: Sequence[int],
    held: tuple[float, float, float],
    wrong_lines: Sequence[str],
) -> list[Row]:
    def none(name: str, count: float, note: str = "") -> Row:
        return Row(f"soak: {name}", [count], Target("at most", 0), note=note)

    counts = run.counts
    others = ", ".join(f"{counts[name]:,} {name}" for name in sorted(counts) if name != "right")
    examples = "; ".join(run.examples)
    return [
        Row("soak: right, bit for bit", [counts["right"]], unit="texts", note=others),
        none("wrong answers", counts["wrong"], examples),
        none("lost calls", counts["lost"], examples),
        none("duplicated answers", run.duplicated, "replies on a stream that no call waited for"),
        Row("soak: p99", [1e3 * latency_percentile(samples, 99.0)], unit="ms", note=f"{LOAD:g} × capacity"),
        Row(
            "soak: memory growth",
            [100 * growth(memory)],
            Target("below", 2.0),
            "%",
            "median resident size of the last tenth over that of the first, after the warm-up",
        ),
        none("files left open", held[0], "after every client had gone, over the number before"),
        none("threads left", held[1], "as above"),
        none("calls left in flight", held[2], "the server's own count"),
        none("error lines logged", len(wrong_lines), "; ".join(wrong_lines[:EXAMPLES])),
    ]
