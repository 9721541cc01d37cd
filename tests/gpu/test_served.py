"""What a server with workers gives on a card, by real calls, and what a million queries cost."""

import asyncio
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest
from line import NAME, Line

SHAPE = "minilm-l6"
VARIANTS = {"torch": "torch-fp16", "cuda": "fp16", "tensorrt": "fp16"}
"""What each provider serves here."""
IN_FLIGHT = (1, 64, 512)
BULK, BULKS_PER_WORKER = 32, 16
"""Texts in a call of the bulk load, and how many such calls are in flight for each worker."""
QUEUE = ("--queue-texts", 4096, "--queue-tokens", 131072)
"""Room for them, connections being spread unevenly."""
CHANNELS_PER_WORKER = 4
"""Connections, not calls, are spread over the workers."""
SECONDS, WARM_UP_SECONDS = 4.0, 1.0
OF_IN_PROCESS, P99_MS = 0.7, 10.0
DEADLINE_MS = 5000.0
MAX_CALLS = 500_000


@dataclass(frozen=True)
class Phase:
    """What came of one load."""

    rate: float
    """Texts answered per second."""
    answered: float
    """The share of the calls that were."""
    p50: float
    """Milliseconds from the intended send, of those that were answered."""
    p99: float
    client_cpu: float
    """Cores that the busiest client process used: near 1 it was the limit."""


@pytest.mark.parametrize("provider", VARIANTS)
def test_a_server_with_workers_beside_its_engine(
    provider: str, lines: Callable[[str], Line], rehearsal: bool, figure: Callable[..., None]
) -> None:
    for package in ("grpc", "prometheus_client", "uvloop", "psutil"):
        pytest.importorskip(package)
    from strop.host import usable_cores
    from strop.serve.engines.backends import BACKENDS

    if reason := BACKENDS[provider].missing():
        pytest.skip(f"{provider} is not available, because {reason}")
    line, variant, seconds = lines(SHAPE), VARIANTS[provider], SECONDS
    workers, clients = max(2, usable_cores() // 2), max(2, usable_cores() // 4)
    if rehearsal:
        variant, seconds, workers, clients = "fp32", 0.3, 2, 1
    inside = in_process(line, variant, provider, seconds)
    found = served(line, variant, provider, workers, clients, seconds)

    name = f"{SHAPE}, {variant} on {provider}, {workers} workers"
    figure(f"{name}: the engine in-process", inside, "texts/s")
    for load, phase in found.items():
        figure(f"{name}, {load}", phase.rate, "texts/s")
        figure(f"{name}, {load}: calls answered", phase.answered)
        figure(f"{name}, {load}: p50", phase.p50, "ms")
        target = {"at_most": P99_MS} if load == "half load" else {}
        figure(f"{name}, {load}: p99", phase.p99, "ms", **target)
        figure(f"{name}, {load}: cores of the busiest client", phase.client_cpu)
        assert phase.answered > 0.9, load
    single = max(found[closed(count)].rate for count in IN_FLIGHT)
    bulk = found[f"{BULK} texts a call"].rate
    figure(f"{name}: one text a call, of in-process", single / inside)
    figure(f"{name}: the better load, of in-process", max(single, bulk) / inside, at_least=OF_IN_PROCESS)
    for machine, dollars in dollars_per_hour(rehearsal).items():
        for load, rate in (("one text a call", single), ("in bulk", bulk)):
            cost = dollars / 3600 / rate * 1e6
            figure(f"{name}, {load}: a million queries on {machine} at ${dollars:g}/h", cost, "$")


def closed(in_flight: int) -> str:
    """What a load of one text a call is named."""
    return f"{in_flight} in flight"


def in_process(line: Line, variant: str, provider: str, seconds: float) -> float:
    """Texts per second of one engine at its best batch, from token ids."""
    from strop.bench.engines.contenders import Contender, engines
    from strop.bench.engines.defaults import DEFAULTS, device_of
    from strop.export.bundle import Bundle

    bundle = Bundle.open(line.bundle)
    encoded = [one.ids for one in bundle.text_encoder().encode(texts_of(line))]
    found = dict(engines(bundle, [variant], {"cpu": encoded, "cuda": encoded}, 1))
    engine = found[f"{variant} on {provider}"]
    assert isinstance(engine, Contender), engine
    engine.choose(DEFAULTS[device_of(engine.runs_on)].batch_tokens)
    return engine.measure(seconds)[0] / fmean(map(len, encoded))


def served(
    line: Line, variant: str, provider: str, workers: int, clients: int, seconds: float
) -> Mapping[str, Phase]:
    """What a server gave under each load, by its name."""
    from strop.bench.server_process import ServerProcess

    options = ("--variant", variant, "--provider", provider, "--require-provider", "--workers", workers)
    script = (sys.executable, str(Path(__file__).with_name("serve.py")))
    with ServerProcess(line.bundle, *options, *QUEUE, command=script) as server:
        return asyncio.run(loads(server.address, line, workers, clients, seconds))


async def loads(
    address: str, line: Line, workers: int, clients: int, seconds: float
) -> Mapping[str, Phase]:
    """Closed loops, an open one at half the best rate of these, and a closed one of calls in bulk."""
    from strop.bench.clients import processes
    from strop.bench.config import BenchConfig
    from strop.bench.jobs import ClosedJob, OpenJob
    from strop.bench.pacing import poisson
    from strop.bench.protocols import TypedWire
    from strop.bench.served import Served
    from strop.tasks import TASKS

    config = BenchConfig(
        address,
        texts=line.texts,
        channels=CHANNELS_PER_WORKER * workers,
        clients=clients,
        deadline_ms=DEADLINE_MS,
    )
    wire = TypedWire(Served(NAME, TASKS["text-classification"]))
    texts = [(text,) for text in texts_of(line)]
    warm_up = min(WARM_UP_SECONDS, seconds)
    found = {}
    async with processes(config, wire.method, [wire.encode([text]) for text in texts]) as drive:
        for count in IN_FLIGHT:
            samples = await drive(ClosedJob(count, seconds, warm_up, 0, MAX_CALLS))
            found[closed(count)] = phase(samples)
        half = max(one.rate for one in found.values()) / 2
        times = poisson(half, warm_up + seconds, 0)
        found["half load"] = phase(await drive(OpenJob(times, seconds, warm_up, 0)))
    bulks = [texts[start : start + BULK] for start in range(0, len(texts), BULK)]
    async with processes(config, wire.method, list(map(wire.encode, bulks))) as drive:
        samples = await drive(ClosedJob(BULKS_PER_WORKER * workers, seconds, warm_up, 0, MAX_CALLS))
        found[f"{BULK} texts a call"] = phase(samples, fmean(map(len, bulks)))
    return found


def phase(samples: Any, texts_per_call: float = 1.0) -> Phase:
    """A load in numbers."""
    good = np.array([one.status == "OK" for one in samples.outcomes])
    faults = {f"{one.status}: {one.detail}" for one in samples.outcomes if one.status != "OK"}
    assert good.any(), faults
    p50, p99 = 1e3 * np.percentile(samples.latency[good], (50, 99), method="inverted_cdf")
    took = max(samples.end, samples.done.max()) - samples.begin
    return Phase(good.sum() * texts_per_call / took, good.mean(), p50, p99, samples.client_cpu)


def texts_of(line: Line) -> Sequence[str]:
    """The line's test split."""
    from strop.bench.columns import Columns
    from strop.bench.texts import read_texts
    from strop.tasks import TASKS

    return [text for text, *_ in read_texts(line.texts, Columns.of(TASKS["text-classification"], 1)).texts]


def dollars_per_hour(rehearsal: bool) -> Mapping[str, float]:
    """The machines of the price book with this card; any one, where there is none."""
    from strop.bench.cost.price_book import read_price_book

    machines = read_price_book().machines.values()
    if rehearsal:
        return {one.name: one.hourly() for one in list(machines)[:1]}
    import torch

    model = set(re.findall(r"\b[A-Z]+\d+\w*", torch.cuda.get_device_name()))
    return {one.name: one.hourly() for one in machines if model & set(re.findall(r"\w+", one.hardware))}
