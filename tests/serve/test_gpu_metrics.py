"""What is told of the GPU that serves, from a made-up driver."""

import asyncio
import importlib.resources
import logging
import math
import re
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from strop.nvml import NvmlError, any_gpu, at_work, find_gpus, gpus_of
from strop.serve.observe.gpu import GpuMetrics, metered

GPU = "GPU 0 NVIDIA H100"


class NotSupportedError(Exception):
    """What the driver says of what a GPU hasn't got."""


class Driver:
    """What of NVML is used, with one GPU on which the process 7 computes."""

    NVMLError = NotSupportedError

    def __init__(self, lacks: str = "") -> None:
        self.millijoules = 5_000_000
        self._lacks = lacks

    def __getattr__(self, name: str) -> Any:
        if self._lacks and name.endswith(self._lacks):
            return self._refuse
        return {
            "nvmlDeviceGetCount": lambda: 1,
            "nvmlDeviceGetHandleByIndex": lambda number: number,
            "nvmlDeviceGetName": lambda _: "NVIDIA H100",
            "nvmlDeviceGetComputeRunningProcesses": lambda _: [SimpleNamespace(pid=7)],
            "nvmlDeviceGetTotalEnergyConsumption": lambda _: self.millijoules,
            "nvmlDeviceGetPowerUsage": lambda _: 350_500,
            "nvmlDeviceGetUtilizationRates": lambda _: SimpleNamespace(gpu=87, memory=3),
            "nvmlDeviceGetMemoryInfo": lambda _: SimpleNamespace(total=80 * 2**30, used=2**30, free=0),
        }[name]

    def _refuse(self, _: object) -> None:
        raise NotSupportedError("Not Supported")


class Server:
    """A page on which a GPU and the texts that it answered are told."""

    def __init__(self, driver: Driver, tariff: float | None = None) -> None:
        self.texts = 0.0
        self.registry = CollectorRegistry()
        self.registry.register(GpuMetrics(gpus_of(driver), lambda: self.texts, tariff))

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"strop_gpu_{name}", labels)


def test_the_gpu_is_told_in_shares_bytes_and_watts() -> None:
    server = Server(Driver())
    assert server.value("utilisation_ratio", gpu=GPU) == 0.87
    assert server.value("memory_used_bytes", gpu=GPU) == 2**30
    assert server.value("memory_bytes", gpu=GPU) == 80 * 2**30
    assert server.value("power_watts", gpu=GPU) == pytest.approx(350.5)


def test_the_energy_of_a_query_computed_by_hand() -> None:
    driver = Driver()
    server = Server(driver, tariff=0.36)
    assert server.value("joules_per_query", over="start") == math.inf
    # 2,000 J for 4,000 texts: half a joule each, so 0.5 / 3.6 kWh a million.
    driver.millijoules += 2_000_000
    server.texts = 4000
    assert server.value("joules_total", gpu=GPU) == pytest.approx(2000)
    for over in ("5m", "start"):
        assert server.value("joules_per_query", over=over) == pytest.approx(0.5)
        dollars = server.value("electricity_dollars_per_million_queries", over=over)
        assert dollars == pytest.approx(0.05)


def test_without_a_tariff_nothing_is_said_of_dollars() -> None:
    names = {metric.name for metric in Server(Driver()).registry.collect()}
    assert "strop_gpu_joules_per_query" in names
    assert not [name for name in names if "dollars" in name]


def test_what_a_gpu_does_not_tell_is_left_out() -> None:
    server = Server(Driver(lacks="UtilizationRates"))  # of a MIG slice
    assert server.value("utilisation_ratio", gpu=GPU) is None
    assert server.value("power_watts", gpu=GPU) == pytest.approx(350.5)
    old = Server(Driver(lacks="TotalEnergyConsumption"))
    assert old.value("power_watts", gpu=GPU) == pytest.approx(350.5)
    assert "strop_gpu_joules" not in {metric.name for metric in old.registry.collect()}


def test_the_dashboard_shows_every_metric_of_the_gpu_and_no_other() -> None:
    registry = Server(Driver(), tariff=0.15).registry
    told = {sample.name for metric in registry.collect() for sample in metric.samples}
    dashboard = importlib.resources.files("strop.serve.observe").joinpath("dashboard.json").read_text()
    assert set(re.findall(r"\bstrop_gpu_\w+", dashboard)) == told


def test_the_gpu_that_serves_is_found() -> None:
    gpus = gpus_of(Driver())
    assert at_work(gpus, [8], surely=True) == gpus
    assert at_work(gpus, [8], surely=False) == []
    assert at_work(gpus, [7, 8], surely=False) == gpus
    assert at_work([*gpus, *gpus], [8], surely=True) == []


@pytest.mark.skipif(any_gpu(), reason="this machine has a GPU")
def test_a_machine_whose_gpu_nobody_can_ask_says_why(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(NvmlError, match=r"nvidia-ml-py is not installed; pip install|NVML says"):
        find_gpus()
    registry = CollectorRegistry()

    async def scene(on_gpu: bool) -> None:
        async with metered(registry, on_gpu, [7], lambda: 0.0, 0.15):
            assert not list(registry.collect())

    with caplog.at_level(logging.WARNING):
        asyncio.run(scene(False))
        assert caplog.messages == ["--tariff says nothing here: no GPU's energy can be read"]
        asyncio.run(scene(True))
    assert caplog.messages[1].startswith("no metrics of the GPU: ")
