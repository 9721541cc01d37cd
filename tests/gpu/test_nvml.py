"""NVML on a real card: what the metrics of the server and the meters of the benchmark are made of."""

import os
import time
from collections.abc import Callable
from typing import Any

import pytest

from strop.nvml import Gpu, NvmlError, at_work, find_gpus

FILL_BYTES = 2**30


@pytest.fixture(scope="module")
def gpu() -> Gpu:
    """The GPU that this process computes on; skipped where NVML can't be asked."""
    import torch

    try:
        gpus = find_gpus()
    except NvmlError as error:
        pytest.skip(str(error))
    torch.ones(1, device="cuda")
    found = at_work(gpus, [os.getpid()], surely=True)
    if not found:
        pytest.skip("NVML names no process of ours, as in a container, and there are several GPUs")
    return found[0]


def test_memory_that_is_taken_shows(gpu: Gpu) -> None:
    import torch

    before, whole = gpu.memory()
    taken = torch.empty(FILL_BYTES, dtype=torch.uint8, device="cuda")
    after, _ = gpu.memory()
    assert 0.9 * FILL_BYTES < after - before < 1.2 * FILL_BYTES
    del taken
    torch.cuda.empty_cache()
    assert gpu.memory()[0] < after - 0.9 * FILL_BYTES
    assert after < whole


def test_work_shows_as_use_power_and_energy(gpu: Gpu, figure: Callable[..., None]) -> None:
    import torch

    square = torch.randn(4096, 4096, device="cuda", dtype=torch.bfloat16)
    joules, began = gpu.joules(), time.monotonic()
    use, watts = 0.0, 0.0
    while time.monotonic() < began + 3:
        for _ in range(50):
            square @ square
        torch.cuda.synchronize()
        use, watts = max(use, gpu.utilisation()), max(watts, gpu.watts())
    used, seconds = gpu.joules() - joules, time.monotonic() - began
    figure("power of a matrix product, by the energy counter", used / seconds, "W")
    figure("power of a matrix product, as NVML tells it", watts, "W")
    assert use > 0.5
    assert 0.5 * watts < used / seconds < 1.5 * watts


def test_the_page_tells_the_energy_of_a_query(gpu: Gpu) -> None:
    pytest.importorskip("prometheus_client")
    from prometheus_client import CollectorRegistry

    from strop.serve.observe.gpu import GpuMetrics

    texts = [0.0]
    registry = CollectorRegistry()
    registry.register(GpuMetrics([gpu], lambda: texts[0], 0.15))
    texts[0] = 10.0
    time.sleep(0.5)  # the counter moves in steps of up to a tenth of a second
    value: Any = registry.get_sample_value
    assert value("strop_gpu_joules_per_query", {"over": "start"}) > 0
    assert value("strop_gpu_electricity_dollars_per_million_queries", {"over": "start"}) > 0
    assert 0 <= value("strop_gpu_utilisation_ratio", {"gpu": str(gpu)}) <= 1
