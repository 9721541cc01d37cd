"""Models that change under load: versions exchanged, memory given back, a bad canary taken off."""

import asyncio
import contextlib
import json
import math
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import grpc

from strop.errors import StropError
from strop.proto import open_inference_pb2 as pb
from strop.proto import open_inference_pb2_grpc as pb_grpc

from ..load import Samples, open_loop
from ..pacing import poisson
from ..protocols import TypedWire
from ..server_process import ServerProcess
from ..targets.rows import Row, Target, ratios
from .metrics import read_metrics
from .setting import Setting
from .traffic import IN_FLIGHT, answered, encode, latency_percentile, steady, unary
from .usage import Usage

SWAP_LOAD = 0.8
"""Of the capacity, while versions are exchanged."""
CANARY_LOAD = 0.5
CANARY_SHARE = 0.05
SHADOW_SHARE = 0.5
ROLLBACK_SECONDS = 30.0
POLL_SECONDS = 0.2
PATIENCE_SECONDS = 60.0
OTHER = "other"
"""The name of the model that is loaded beside the bundle's own."""


class Repository:
    """A model repository of copies of the bundle, which take no room."""

    def __init__(self, root: Path, setting: Setting) -> None:
        self.root = root
        self._bundle = setting.bundle

    def publish(self, name: str, version: str, *, labels: Sequence[str] | None = None) -> None:
        """Put a copy there at once; with other ``labels`` it answers wrongly."""
        stage, place = self.root / f".{name}-{version}", self.root / name / version
        shutil.copytree(self._bundle.root, stage, copy_function=os.link)
        manifest = stage / "manifest.json"
        fields = json.loads(manifest.read_text(encoding="utf-8")) | {"name": name, "version": version}
        manifest.unlink()
        manifest.write_text(json.dumps(fields | ({"labels": labels} if labels else {})), encoding="utf-8")
        place.parent.mkdir(exist_ok=True)
        stage.rename(place)


async def repository(setting: Setting) -> list[Row]:
    """Swaps under load, memory after an unload, and the time until a bad canary is taken off."""
    # Beside the bundle, because a link can't leave its file system.
    with tempfile.TemporaryDirectory(prefix=".strop-", dir=setting.bundle.root.parent) as folder:
        rows = []
        for measure in (_swaps, _memory, _canary):
            root = Path(folder) / measure.__name__
            root.mkdir()
            there = Repository(root, setting)
            there.publish(setting.model, "1")
            rows += await measure(setting, there)
        return rows


async def _swaps(setting: Setting, there: Repository) -> list[Row]:
    """Windows with a swap each beside windows without, in turn."""
    config, wire = setting.config, TypedWire(setting.served)
    found: dict[str, list[Samples]] = {"steady": [], "swap": []}
    options = ("--model-control", "poll", "--poll-seconds", POLL_SECONDS)
    with _server(setting, there, *options) as server:
        usage = Usage(server.pid)
        async with unary(server.address, wire.method, encode(wire, setting.texts)) as calls:
            setting.say("capacity")
            rate = SWAP_LOAD * (await steady(calls, IN_FLIGHT, config.seconds, usage)).rate
            for number in range(config.swaps):
                for window, samples in found.items():
                    setting.say(f"swap {number + 1} of {config.swaps}: {window}")
                    if window == "swap":
                        there.publish(setting.model, str(number + 2))
                    times = poisson(rate, config.swap_seconds, config.seed + number)
                    samples.append(await open_loop(calls.send, calls.order, times, config.swap_seconds))
        served = await _loads(server)
    if served != config.swaps + 1:
        raise StropError(f"{served} versions were loaded of {config.swaps + 1}; raise --swap-seconds")
    p99 = {window: [latency_percentile(one, 99.0) for one in samples] for window, samples in found.items()}
    # Where calls went unanswered without a swap, something beside the server had taken the machine.
    pairs = [
        (swap, steady)
        for swap, steady in zip(p99["swap"], p99["steady"], strict=True)
        if math.isfinite(steady)
    ]
    if not pairs:
        raise StropError(f"{rate:.0f} calls a second were too many even without a swap; try a quieter hour")
    lost = {
        window: sum(int((~answered(one)).sum()) for one in samples) for window, samples in found.items()
    }
    made = sum(len(one.outcomes) for one in found["swap"])
    return [
        Row("swaps: versions exchanged", [config.swaps], note=f"at {SWAP_LOAD:g} × capacity, {rate:.0f}/s"),
        Row(
            "swaps: failed calls",
            [lost["swap"]],
            Target("at most", 0),
            note=f"of {made:,}; of as many without a swap {lost['steady']:,}",
        ),
        Row(
            "swaps: p99 without",
            [1e3 * one for one in p99["steady"]],
            unit="ms",
            note="windows without one",
        ),
        Row(
            "swaps: p99 with",
            [1e3 * one for one in p99["swap"]],
            unit="ms",
            note="windows with a swap each",
        ),
        Row(
            "swaps: p99 with / without",
            ratios(*zip(*pairs, strict=True)),
            Target("at most", 1.2),
            note=f"windows of {config.swap_seconds:g} s in turn, each over the one before it, in"
            f" {len(pairs)} pairs of {config.swaps}: those whose calls without a swap were answered",
        ),
    ]


async def _memory(setting: Setting, there: Repository) -> list[Row]:
    """Resident memory before another model is loaded, with it, and after it was unloaded."""
    there.publish(OTHER, "1")
    grown, left = [], []
    options = ("--model-control", "explicit", "--load", setting.model)
    with _server(setting, there, *options) as server:
        usage = Usage(server.pid)
        async with grpc.aio.insecure_channel(server.address) as channel:
            stub = pb_grpc.GRPCInferenceServiceStub(channel)
            for number in range(setting.config.rounds + 1):
                setting.say(f"memory: load and unload {number} of {setting.config.rounds}")
                before = usage.resident_bytes
                await stub.RepositoryModelLoad(pb.RepositoryModelLoadRequest(model_name=OTHER))
                loaded = usage.resident_bytes
                await stub.RepositoryModelUnload(pb.RepositoryModelUnloadRequest(model_name=OTHER))
                if number:  # the first one also loads what stays: code, buffers of the libraries
                    grown.append((loaded - before) / 1e6)
                    left.append((usage.resident_bytes - before) / (loaded - before))
    return [
        Row("memory: a second model takes", grown, unit="MB"),
        Row(
            "memory: left once unloaded",
            left,
            Target("at most", 0.1),
            note="as a share of what it took; resident size, at once after the unload",
        ),
    ]


async def _canary(setting: Setting, there: Repository) -> list[Row]:
    """Seconds until a version with its labels mixed up loses its share, and whom that hit."""
    config, wire = setting.config, TypedWire(setting.served)
    labels = setting.bundle.manifest.labels
    there.publish(setting.model, "2", labels=labels[1:] + labels[:1])
    route = (
        f'["{setting.model}"]\nweights = {{ 1 = {1 - CANARY_SHARE}, 2 = {CANARY_SHARE} }}\n'
        f'shadow_share = {SHADOW_SHARE}\n["{setting.model}".rollback]\n'
    )

    async def capacity() -> float:
        with setting.server() as server:
            async with unary(server.address, wire.method, encode(wire, setting.texts)) as calls:
                return (await steady(calls, IN_FLIGHT, config.seconds, Usage(server.pid))).rate

    rate, seconds = CANARY_LOAD * await capacity(), []
    for number in range(config.rounds):
        setting.say(f"canary: round {number + 1} of {config.rounds}")
        # A file of its own: beside it the server keeps what it found, and the next one would know.
        routes = there.root / f"routes-{number}.toml"
        routes.write_text(route, encoding="utf-8")
        with _server(setting, there, "--routes", routes) as server:
            seconds.append(await _until_rolled_back(setting, server, rate))
    return [
        Row(
            "canary: rolled back after",
            seconds,
            Target("at most", ROLLBACK_SECONDS),
            "s",
            f"labels mixed up; {CANARY_SHARE:.0%} of the calls at {CANARY_LOAD:g} × capacity,"
            f" {SHADOW_SHARE:.0%} compared, default bounds; from the first call on",
        )
    ]


async def _until_rolled_back(setting: Setting, server: ServerProcess, rate: float) -> float:
    wire = TypedWire(setting.served)
    times = poisson(rate, 2 * ROLLBACK_SECONDS, setting.config.seed)
    async with unary(server.address, wire.method, encode(wire, setting.texts)) as calls:
        started = time.perf_counter()
        load = asyncio.create_task(open_loop(calls.send, calls.order, times, 2 * ROLLBACK_SECONDS))
        try:
            while not load.done():
                if (await read_metrics(server.metrics_address))["strop_rollbacks_total"]:
                    return time.perf_counter() - started
                await asyncio.sleep(0.1)
        finally:
            load.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await load
    return float("inf")


def _server(setting: Setting, there: Repository, *options: object) -> ServerProcess:
    return replace(setting, config=replace(setting.config, bundle=there.root)).server(*options)


async def _loads(server: ServerProcess) -> int:
    return round((await read_metrics(server.metrics_address))["strop_model_load_seconds_count"])
