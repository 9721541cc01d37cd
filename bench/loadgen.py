"""MLPerf LoadGen as the driver: it says when to ask, our client asks, its summary is the verdict."""

import asyncio
import multiprocessing
import re
import shutil
import signal
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console

from strop.cost import dollars_per_million
from strop.errors import InputError, StropError
from strop.host import read_host
from strop.staging import staged

from .config import MAX_CALLS, BenchConfig
from .cost.price_book import Machine, pick, read_price_book
from .grid import Grid, dollars, grid_markdown, ms, show_grid
from .load import CallLog
from .loops import connected
from .protocols import Reply
from .run import prepare
from .search import FIRST_SHARE, Phase
from .served import Served
from .texts import Texts
from .written import check_folder, file_stem

SCENARIOS = {"single-stream": "SingleStream", "server": "Server", "offline": "Offline"}
CALIBRATION_SHARE = 0.1
"""A closed loop before the test, as a share of its time: LoadGen must be told what rate to expect."""
SUBMISSION_SECONDS = 600.0
"""MLPerf's rules ask for at least this much in every scenario."""
NANOSECONDS = 1e9
SUMMARY_FILE = "mlperf_log_summary.txt"
RATES = ("QPS w/ loadgen overhead", "Completed samples per second", "Samples per second")
"""What the summary calls the rate, by scenario."""
PERCENTILES = {"p50": "50.00", "p90": "90.00", "p99": "99.00", "p99.9": "99.90"}


def loadgen(config: BenchConfig) -> None:
    """Run one scenario, show LoadGen's figures beside ours, and keep its logs under ``config.out``.

    Raises ``InputError`` before any load for options that don't fit or if LoadGen is not
    installed, ``StropError`` when the server fails.
    """
    if find_spec("mlperf_loadgen") is None:
        raise InputError("--loadgen needs MLPerf LoadGen; pip install 'strop[loadgen]'")
    machines = pick(read_price_book(config.prices).machines, config.machines)
    check_folder(config.out)
    served, texts = prepare(config)
    console, host, created = Console(), read_host(), datetime.now().astimezone()
    folder = config.out / file_stem(created, host, f"loadgen-{config.loadgen}")
    with tempfile.TemporaryDirectory(prefix="strop-") as name:
        logs = Path(name)
        with console.status(f"LoadGen, {config.loadgen}, at least {config.seconds:g} s"):
            first, phase = _in_child(config, served, texts, logs)
        summary = read_summary((logs / SUMMARY_FILE).read_text(encoding="utf-8"))
        grids = [_figures(summary, phase), *_costs(config, phase, machines)]
        notes = _notes(config, phase)
        title = (
            f"# MLPerf LoadGen, {config.loadgen}, {created:%Y-%m-%d %H:%M}, on {host}",
            f"{config.address} · {config.api} API · model {first.model} {first.version}"
            f" {first.variant} · texts from {config.source}",
        )
        page = "\n\n".join([*title, *map(grid_markdown, grids), *notes])
        (logs / "report.md").write_text(page + "\n", encoding="utf-8")
        _keep(logs, folder)
    for grid in grids:
        show_grid(grid, console)
    for note in notes:
        console.print(note, style="yellow", markup=False)
    console.print(f"logs and report: {folder}", markup=False, soft_wrap=True)


def read_summary(text: str) -> dict[str, str]:
    """The ``name : value`` lines of LoadGen's summary; where a name comes twice, the first."""
    found: dict[str, str] = {}
    for name, value in re.findall(r"^ *(\S.*?) *: *(\S.*)$", text, re.MULTILINE):
        found.setdefault(name, value)
    return found


@dataclass(frozen=True)
class _Failure:
    """An error on its way from the child."""

    error: StropError


def _in_child(config: BenchConfig, served: Served, texts: Texts, logs: Path) -> tuple[Reply, Phase]:
    """``_drive`` in a process of its own: LoadGen can't be stopped, and crashes one that exits."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(config, served, texts, logs, theirs), daemon=True)
    child.start()
    theirs.close()
    try:
        came: tuple[Reply, Phase] | _Failure = ours.recv()
    except EOFError as error:
        child.join()
        raise StropError(f"LoadGen's process ended with exit code {child.exitcode}; see above") from error
    finally:
        child.kill()
        child.join()
        ours.close()
    if isinstance(came, _Failure):
        raise came.error
    return came


def _child(config: BenchConfig, served: Served, texts: Texts, logs: Path, answer: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        answer.send(uvloop.run(_drive(config, served, texts, logs)))
    except StropError as error:
        answer.send(_Failure(error))


async def _drive(config: BenchConfig, served: Served, texts: Texts, logs: Path) -> tuple[Reply, Phase]:
    """The reply to the first call, and what came of LoadGen's calls."""
    alone = config.loadgen == "single-stream"
    config = replace(config, in_flight=1) if alone else config
    async with connected(config, served, texts) as load:
        closed = await load.closed(CALIBRATION_SHARE * config.seconds)
        share = FIRST_SHARE if config.loadgen == "server" else 1.0
        rate = min(config.rate or share * closed.summary.rate, MAX_CALLS / config.seconds)
        log, loop = CallLog(load.send), asyncio.get_running_loop()
        slots = asyncio.Semaphore(config.in_flight if config.loadgen == "offline" else MAX_CALLS)
        async with asyncio.TaskGroup() as group:

            async def answer(sample: int, text: int, intended: float) -> None:
                try:
                    async with slots:
                        await log.call(text, intended)
                finally:
                    _complete(sample)

            def issue(queries: Any) -> None:
                intended = log.now()
                for query in queries:
                    coroutine = answer(query.id, query.index, intended)
                    loop.call_soon_threadsafe(group.create_task, coroutine)

            await asyncio.to_thread(_start_test, config, rate, len(texts.texts), issue, logs)
        samples = log.samples(0.0, log.now())
        if config.loadgen == "server":
            return load.first, load.phase(samples, "open", offered=rate)
        return load.first, load.phase(samples, "closed", in_flight=config.in_flight)


def _complete(sample: int) -> None:
    import mlperf_loadgen

    mlperf_loadgen.QuerySamplesComplete([mlperf_loadgen.QuerySampleResponse(sample, 0, 0)])


def _start_test(config: BenchConfig, rate: float, texts: int, issue: Any, logs: Path) -> None:
    """Run LoadGen to its end, in the thread that calls it."""
    # Not at the top: it is an extra.
    import mlperf_loadgen

    settings = mlperf_loadgen.TestSettings()
    settings.scenario = getattr(mlperf_loadgen.TestScenario, SCENARIOS[config.loadgen or ""])
    settings.mode = mlperf_loadgen.TestMode.PerformanceOnly
    settings.min_duration_ms = round(config.seconds * 1e3)
    settings.min_query_count = 1
    settings.single_stream_expected_latency_ns = round(NANOSECONDS / rate)
    settings.server_target_qps = settings.offline_expected_qps = rate
    settings.server_target_latency_ns = round(config.slo * NANOSECONDS)
    settings.sample_index_rng_seed = settings.schedule_rng_seed = config.seed
    log = mlperf_loadgen.LogSettings()
    log.enable_trace = False
    log.log_output.outdir = str(logs)
    log.log_output.copy_summary_to_stdout = False
    system = mlperf_loadgen.ConstructSUT(issue, lambda: None)
    library = mlperf_loadgen.ConstructQSL(texts, texts, lambda _: None, lambda _: None)
    mlperf_loadgen.StartTestWithLogSettings(system, library, settings, log)
    mlperf_loadgen.DestroyQSL(library)
    mlperf_loadgen.DestroySUT(system)


def _figures(summary: Mapping[str, str], phase: Phase) -> Grid:
    ours = phase.summary
    rate = next((summary[name] for name in RATES if name in summary), "n/a")
    rows = [
        (
            "result",
            summary.get("Result is", "n/a"),
            "n/a" if phase.loop == "closed" else phase.failure or "met",
        ),
        ("texts a second", rate, f"{ours.rate:.2f}"),
    ]
    for name, percent in PERCENTILES.items():
        theirs = summary.get(f"{percent} percentile latency (ns)")
        seconds = None if theirs is None else int(theirs) / NANOSECONDS
        rows.append((f"{name}, ms", ms(seconds), ms(ours.percentiles[name])))
    rows += [(name, value, "–") for name, value in summary.items() if name.endswith(" satisfied")]
    rows.append(("failed calls", "–", str(sum(ours.errors.values()))))
    title = f"MLPerf LoadGen, {summary.get('Scenario', '?')}"
    return Grid(title, ("", "LoadGen", "ours"), rows)


def _costs(config: BenchConfig, phase: Phase, machines: list[Machine]) -> list[Grid]:
    """One call at a time is no way to run a machine, so that scenario has no cost."""
    if phase.failure or config.loadgen == "single-stream":
        return []
    rows = []
    for machine in machines:
        cost = dollars_per_million(machine.hourly(), phase.summary.rate, config.utilisation)
        rows.append((machine.title, f"{machine.hourly():.4f}", dollars(cost)))
    note = (
        f"An assumption, not a measurement: each machine is taken to reach our {phase.summary.rate:.1f}"
        f" texts/s, {'without an SLO' if phase.offered is None else f'p99 ≤ {config.slo_ms:g} ms'};"
        f" {config.utilisation:.0%} of it in use."
    )
    return [Grid("Cost of a million queries", ("machine", "$/hour", "$/million"), rows, note, narrow=False)]


def _notes(config: BenchConfig, phase: Phase) -> list[str]:
    """What a reader must know before trusting a figure."""
    found = []
    if phase.summary.errors:
        found.append(
            f"LoadGen takes every end of a call for an answer; these failed: {dict(phase.summary.errors)}"
        )
    # Offline, all texts are meant to go at once, and wait here for their turn.
    if (limit := phase.summary.client_limited) and config.loadgen != "offline":
        found.append(f"the client was the limit, not the server: {limit}")
    if config.seconds < SUBMISSION_SECONDS:
        found.append(
            f"{config.seconds:g} s are not an MLPerf submission, which needs {SUBMISSION_SECONDS:g} s;"
            " the figures are comparable with each other only"
        )
    return found


def _keep(logs: Path, folder: Path) -> None:
    """Copy LoadGen's files to ``folder``, all or none; ``InputError`` if that is not possible."""
    try:
        with staged(folder) as stage:
            shutil.copytree(logs, stage, dirs_exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {folder.parent} can't be written: {error.strerror}") from error
