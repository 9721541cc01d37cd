"""A rival at its best: every setting tried for a few seconds, and whether it is the same model at all."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path

from strop.errors import StropError

from ..config import BenchConfig
from ..loops import connected
from ..target import caller, wire
from .batching import Batching
from .contenders import Contender, ours
from .process import Material, started
from .rival import Rival
from .setting import Setting

CHECKED = 200
ALIKE = 0.995
"""Share of the texts checked that must get our label; padding may tip a close call."""
PROBE_IN_FLIGHT = 8
MOST_IN_FLIGHT = 64


async def our_labels(setting: Setting) -> list[str]:
    """What ``strop serve`` says of the texts that are checked, in fp32."""
    async with ours(setting, setting.bundle.reference.name).start() as load:
        return await _labels(setting, load, min(CHECKED, len(setting.texts.texts)))


async def tuned(
    setting: Setting, rival: Rival, labels: Sequence[str], folder: Callable[[], Path]
) -> Contender:
    """The rival at the best of its settings.

    Each is tried in a closed loop of as many calls as can be answered within the SLO by Little's law,
    told from the rate of the first; the best answers most texts within it. ``labels`` are ours of the
    first texts, ``folder`` makes the model's folder for those that want one. Raises ``StropError`` when
    it can't be installed or run, or says other labels.
    """
    setting.say(f"{rival.name}: preparing its environment")
    start = _starter(setting, rival, rival.python(), folder)
    alike, in_flight = 0.0, 0
    rates: dict[Batching, float] = {}
    for batching in rival.batchings:
        setting.say(f"{rival.name}: trying {batching}")
        async with start(batching) as load:
            if not in_flight:
                alike = await _share_alike(setting, load, labels)
                rate, _ = await _closed(setting, load, PROBE_IN_FLIGHT)
                in_flight = min(max(1, round(rate * setting.config.slo)), MOST_IN_FLIGHT)
            _, rates[batching] = await _closed(setting, load, in_flight)
    best = max(rates, key=lambda batching: rates[batching])
    return Contender(
        rival.name,
        rival.title,
        lambda: start(best),
        str(best),
        rival.installs,
        alike,
        [(str(batching), rate) for batching, rate in rates.items()],
    )


def _starter(
    setting: Setting, rival: Rival, python: str, folder: Callable[[], Path]
) -> Callable[[Batching], AbstractAsyncContextManager[BenchConfig]]:
    """Starts the rival with a setting, and tells how it is then driven."""
    material = Material(
        setting.config.bundle,
        setting.bundle.reference.name,
        setting.served.name,
        folder() if rival.model == "folder" else None,
    )

    def load(address: str) -> BenchConfig:
        return setting.load(address, "open-inference", rival.endpoint_file)

    async def ask(address: str) -> object:
        return await _labels(setting, load(address), 1)

    @asynccontextmanager
    async def start(batching: Batching) -> AsyncIterator[BenchConfig]:
        async with started(rival, python, material, batching, ask) as running:
            yield load(running.address)

    return start


async def _labels(setting: Setting, load: BenchConfig, count: int) -> list[str]:
    """The labels of the first texts, asked one by one; ``StropError`` if one gets none."""
    asked = wire(load, setting.served)
    async with caller(load) as client:
        replies = [await client.ask(asked, [text]) for text in setting.texts.texts[:count]]
    return [str(setting.served.task.verdict(reply.results[0])) for reply in replies]


async def _share_alike(setting: Setting, load: BenchConfig, wanted: Sequence[str]) -> float:
    """The share of its labels that are the ``wanted`` ones; ``StropError`` if too few are."""
    labels = await _labels(setting, load, len(wanted))
    alike = sum(a == b for a, b in zip(labels, wanted, strict=True)) / len(wanted)
    if alike < ALIKE:
        raise StropError(f"only {alike:.1%} of its labels are ours: not the same model, so not compared")
    return alike


async def _closed(setting: Setting, load: BenchConfig, in_flight: int) -> tuple[float, float]:
    """Texts answered a second in a closed loop, all of them and those within the SLO."""
    seconds = setting.config.trial_seconds
    trial = replace(load, in_flight=in_flight, warmup_seconds=seconds / 4)
    async with connected(trial, setting.served, setting.texts) as calls:
        summary = (await calls.closed(seconds * 3 / 4)).summary
    return summary.rate, summary.goodput
