"""The load generator's own error: known service times, and a server that stalls."""

import asyncio
import time

import numpy as np
import pytest

from strop.bench.client import Outcome
from strop.bench.generator import KnownServer, error, loops, stalled
from strop.bench.load import Samples
from strop.bench.statistics import percentile


@pytest.mark.parametrize("loop", ["open", "closed"])
def test_a_known_service_time_is_measured_to_within_a_few_milliseconds(loop: str) -> None:
    # Generous: other processes share the cores. bench/results has what a quiet machine shows.
    job = next(job for name, job in loops(0.4).items() if name.startswith(loop))
    samples = asyncio.run(job.run(KnownServer(0.02).send, 1))
    assert 0.0 <= error(samples) < 0.01


def test_the_error_is_what_the_median_is_off_by() -> None:
    told, late = np.linspace(0.01, 0.03, 101), 0.0005
    outcomes = tuple(Outcome("OK", repr(float(value)).encode()) for value in told)
    zero = np.zeros(101)
    samples = Samples(zero.astype(int), zero, zero, told + late, outcomes, 0.0, 1.0, 0.1)
    assert error(samples) == pytest.approx(late)


def test_a_stall_shows_in_the_open_loops_p99_and_hides_from_a_caller_that_waits() -> None:
    stalled_until = 0.0

    async def send(number: int) -> Outcome:
        nonlocal stalled_until
        if number == 100:
            stalled_until = time.perf_counter() + 0.3
        await asyncio.sleep(max(0.001, stalled_until - time.perf_counter()))
        return Outcome("OK")

    opened, naive = asyncio.run(stalled(send, 1.0, 200.0))
    # Sixty of two hundred calls are meant for the stall, so two of a hundred wait for nine tenths of it.
    assert (percentile(opened.latency, 99.0) or 0.0) > 0.25
    assert (naive.latency > 0.25).sum() == 1
    assert (percentile(naive.latency, 99.0) or 0.0) < 0.15
