"""Energy: counters of a made-up kernel tree and of a made-up driver, and what follows from them."""

import asyncio
import os
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strop.bench.config import BenchConfig
from strop.bench.cost.price_book import pick, read_price_book
from strop.bench.energy import Energy, Meters, QueryEnergy
from strop.bench.meters import RaplCounter, find_meters, nvml, rapl
from strop.bench.page.page import to_html
from strop.bench.report import Report
from strop.bench.run import Measured, prepare, run
from strop.host import read_host
from strop.nvml import gpus_of

RANGE = 1_000_000
"""Microjoules after which a made-up counter starts again."""


def write_zone(folder: Path, zone: str, name: str, count: int = 0) -> Path:
    place = folder / zone
    place.mkdir()
    for file, text in (("name", name), ("energy_uj", count), ("max_energy_range_uj", RANGE)):
        (place / file).write_text(f"{text}\n", encoding="ascii")
    return place


def test_packages_are_counted_and_their_parts_and_the_platform_are_not(tmp_path: Path) -> None:
    write_zone(tmp_path, "intel-rapl:0", "package-0", 100)
    write_zone(tmp_path, "intel-rapl:0:0", "core", 50)
    write_zone(tmp_path, "intel-rapl:0:1", "dram", 50)
    second = write_zone(tmp_path, "intel-rapl:1", "package-1", 400_000)
    write_zone(tmp_path, "intel-rapl:2", "psys", 900)
    meters = rapl(tmp_path)
    assert list(meters.counters) == ["package-0", "package-1"]
    assert meters.missing == ()
    (second / "energy_uj").write_text("900000", encoding="ascii")
    assert {name: count() for name, count in meters.counters.items()} == {"package-0": 0, "package-1": 0.5}


def test_a_machine_without_counters_says_where_it_looked(tmp_path: Path) -> None:
    assert rapl(tmp_path / "powercap").missing == (
        f"there is no RAPL counter of a processor under {tmp_path / 'powercap'}",
    )


def test_a_counter_that_is_not_ours_to_read_is_named(tmp_path: Path) -> None:
    zone = write_zone(tmp_path, "intel-rapl:0", "package-0")
    file = zone / "energy_uj"
    # Root may read any file, so for it what can't be read is none.
    if os.geteuid() == 0:
        file.unlink()
        file.mkdir()
    else:
        file.chmod(0)
    meters = rapl(tmp_path)
    assert meters.counters == {}
    assert meters.missing[0].startswith(f"{file} can't be read: ")


@given(st.integers(0, RANGE - 1), st.lists(st.integers(0, RANGE - 1), max_size=20))
def test_a_counter_that_wraps_around_goes_on(
    tmp_path_factory: pytest.TempPathFactory, start: int, steps: Sequence[int]
) -> None:
    zone = write_zone(tmp_path_factory.mktemp("powercap"), "intel-rapl:0", "package-0", start)
    counter = RaplCounter(zone)
    for done, step in enumerate(steps):
        before = start + sum(steps[:done])
        (zone / "energy_uj").write_text(str((before + step) % RANGE), encoding="ascii")
        assert counter() == pytest.approx(sum(steps[: done + 1]) / 1e6)


def rising(watts: float) -> Callable[[], float]:
    """A counter of a machine that always takes so much."""
    loop = asyncio.get_running_loop()
    return lambda: watts * loop.time()


async def answer(seconds: float) -> str:
    await asyncio.sleep(seconds)
    return "done"


def test_the_window_leaves_out_the_warm_up_and_what_comes_late() -> None:
    async def scene() -> None:
        meters = Meters({"a": rising(10.0), "b": rising(2.5)})
        result, energy = await meters.during(answer(0.6), after=0.2, seconds=0.2)
        assert result == "done"
        assert energy
        assert energy.seconds == pytest.approx(0.2, abs=0.1)
        assert energy.watts == pytest.approx(12.5, rel=0.05)
        assert energy.joules["a"] == pytest.approx(4 * energy.joules["b"], rel=0.01)

    asyncio.run(scene())


def test_work_that_ends_in_its_warm_up_or_without_a_meter_tells_no_energy() -> None:
    async def scene() -> None:
        assert await Meters().during(answer(0), after=9, seconds=9) == ("done", None)
        assert await Meters().idle() is None
        metered = Meters({"a": rising(10.0)})
        assert await metered.during(answer(0), after=9, seconds=9) == ("done", None)

    asyncio.run(scene())


def test_work_that_fails_says_so_itself() -> None:
    async def fail() -> None:
        raise ConnectionError("gone")

    async def scene() -> None:
        with pytest.raises(ConnectionError, match="gone"):
            await Meters({"a": rising(10.0)}).during(fail(), after=0, seconds=9)

    asyncio.run(scene())


def test_a_query_computed_by_hand() -> None:
    # 200 J in 10 s are 20 W, 12 W of them above an idle machine's 8 W; 40 queries a second share them.
    query = QueryEnergy.of(Energy(10, {"a": 150, "b": 50}), 40, Energy(3, {"a": 15, "b": 9}))
    assert query == QueryEnergy(0.5, pytest.approx(0.3))
    # Half a joule, a million times, over 3.6 million joules a kilowatt-hour.
    assert query.kwh_per_million == pytest.approx(0.5 / 3.6)
    assert query.dollars_per_million(0.36) == pytest.approx(0.05)


def test_a_machine_that_was_not_idle_tells_no_marginal_energy() -> None:
    assert QueryEnergy.of(Energy(1, {"a": 5}), 10, Energy(1, {"a": 5})).marginal is None


@given(st.floats(1e-3, 1e3), st.floats(0, 1e3), st.floats(1e-2, 1e4), st.floats(1.5, 100))
def test_the_idle_power_weighs_less_on_each_of_more_queries(
    above: float, idle: float, rate: float, factor: float
) -> None:
    resting = Energy(1, {"a": idle})
    query = QueryEnergy.of(Energy(2, {"a": 2 * (idle + above)}), rate, resting)
    # As many times the load takes as many times the power above idle.
    busier = QueryEnergy.of(Energy(1, {"a": idle + factor * above}), factor * rate, resting)
    assert query.marginal == pytest.approx(above / rate, rel=1e-6, abs=1e-9)
    assert busier.marginal == pytest.approx(query.marginal, rel=1e-6, abs=1e-9)
    assert busier.joules <= query.joules * (1 + 1e-9)


def test_stretches_add_up() -> None:
    assert Energy(1, {"a": 2, "b": 3}).then(Energy(4, {"a": 5, "b": 6})) == Energy(5, {"a": 7, "b": 9})


def driver(*gpus: tuple[str, Sequence[int]]) -> Any:
    """What of NVML is used, of GPUs with a name and the processes that compute on them."""
    return SimpleNamespace(
        nvmlDeviceGetCount=lambda: len(gpus),
        nvmlDeviceGetHandleByIndex=lambda number: gpus[number],
        nvmlDeviceGetName=lambda gpu: gpu[0],
        nvmlDeviceGetComputeRunningProcesses=lambda gpu: [SimpleNamespace(pid=pid) for pid in gpu[1]],
        nvmlDeviceGetTotalEnergyConsumption=lambda _: 7500,
    )


def test_the_gpu_that_serves_is_counted_in_joules() -> None:
    two = driver(("H100", [7]), ("L4", []))
    meters = nvml(gpus_of(two), None, None)
    assert {name: count() for name, count in meters.counters.items()} == {"GPU 0 H100": 7.5}
    both = driver(("L4", [7]), ("L4", [8, 9]))
    assert list(nvml(gpus_of(both), True, {9, 10}).counters) == ["GPU 1 L4"]
    # In a container the driver may name no process at all.
    assert list(nvml(gpus_of(driver(("H100", []))), True, None).counters) == ["GPU 0 H100"]


def test_a_gpu_of_which_it_is_not_known_whether_it_serves_is_not_counted() -> None:
    both = nvml(gpus_of(driver(("L4", [7]), ("L4", [8]))), True, None)
    assert both.counters == {}
    assert "GPU 0 L4, GPU 1 L4 all compute" in both.missing[0]
    assert nvml(gpus_of(driver(("L4", []))), None, None).missing == (
        "GPUs: the server is not seen to compute on one",
    )
    assert nvml(gpus_of(driver(("L4", [7]))), None, {8}).counters == {}


def test_a_benchmark_tells_what_a_query_took(server: Any, texts: Path, tmp_path: Path) -> None:
    config = BenchConfig(
        server.address, texts=texts, seconds=3, warmup_seconds=0.2, in_flight=8, slo_ms=1000, rate=150
    )

    async def scene() -> Measured:
        meters = Meters({"package-0": rising(30.0)})
        return await run(config, served, rows, meters=meters, check=lambda _: None, note=lambda _: None)

    served, rows = prepare(config)
    measured = asyncio.run(scene())
    machines = pick(read_price_book().machines, config.machines)
    report = Report(
        datetime.now().astimezone(),
        read_host(),
        0.0,
        {},
        config,
        served.task,
        measured,
        None,
        None,
        machines,
        {6: 40},
        ("there is no meter of the GPU",),
    )
    told = report.fields()["energy"]
    assert told["idle"]["joules"]["package-0"] == pytest.approx(30 * told["idle"]["seconds"], rel=0.05)
    assert told["sustained"]["joules_per_query"] == pytest.approx(0.2, rel=0.1)
    assert told["sustained"]["kwh_per_million"] == pytest.approx(0.2 / 3.6, rel=0.1)
    # By the tariff of the owned box among the machines.
    assert told["sustained"]["dollars_per_million"] == pytest.approx(0.146 * 0.2 / 3.6, rel=0.1)
    page = to_html(report)
    assert "Energy of a query" in page
    assert "a query at that rate" in page
    assert "Energy: there is no meter of the GPU." in page
    assert "Energy outside of package-0" in page


def test_the_meters_of_another_machine_are_not_ours() -> None:
    assert find_meters("10.0.0.7:8001", None, None) == Meters(
        missing=("the server's machine is another one, whose counters can't be read here",)
    )
