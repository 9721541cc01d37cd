"""The search for the sustained rate."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from strop.bench.client import Outcome
from strop.bench.load import Samples
from strop.bench.search import Phase, is_certain, judge, next_rate, search, sustained_interval
from strop.bench.statistics import Summary, summarise


def summary(latency: float, calls: int = 200, failed: int = 0) -> Summary:
    times = np.linspace(0, 1, calls)
    statuses = ["UNAVAILABLE"] * failed + ["OK"] * (calls - failed)
    outcomes = tuple(Outcome(status) for status in statuses)
    samples = Samples(np.arange(calls), times, times, times + latency, outcomes, 0.0, 1.0, 0.1)
    return summarise(samples, slo=0.1, texts_per_call=1)


@pytest.mark.parametrize(
    ("measured", "failure"),
    [
        (summary(0.05), None),
        (summary(0.1001), "p99 100.1 ms"),
        (summary(0.05, failed=2), "2 UNAVAILABLE"),
        (summary(0.05, calls=50), "50 calls are too few for a p99; raise --seconds"),
    ],
)
def test_the_slo_is_met_by_p99_without_an_error_over_enough_calls(
    measured: Summary, failure: str | None
) -> None:
    assert judge(measured, slo=0.1) == failure


def test_a_share_of_errors_may_be_allowed() -> None:
    measured = summary(0.05, failed=2)
    assert judge(measured, slo=0.1, max_errors=0.01) is None
    assert judge(measured, slo=0.1, max_errors=0.009) == "2 UNAVAILABLE"


@pytest.mark.parametrize(
    ("measured", "certain"),
    [
        (summary(0.05, calls=400), True),
        (summary(0.05, calls=300), False),  # its p99 has no upper bound
        (summary(0.2, calls=300), True),
        (summary(0.05, failed=2), True),
        (summary(0.05, calls=50), False),
    ],
)
def test_a_verdict_is_certain_where_the_interval_lies_on_one_side(measured: Summary, certain: bool) -> None:
    assert is_certain(measured, slo=0.1) is certain


def test_the_sustained_rate_lies_between_what_was_surely_met_and_what_was_surely_missed() -> None:
    def phase(rate: float, failure: str | None, certain: bool = True) -> Phase:
        return Phase("open", None, rate, summary(0.05), None, failure, certain)

    phases = [phase(70, None), phase(85, "late"), phase(77, None, certain=False), phase(81, "late", False)]
    assert sustained_interval(phases) == (70, 85)
    assert [one.verdict for one in phases] == ["met", "missed", "undecided", "undecided"]
    assert sustained_interval(phases[2:]) == (None, None)


@pytest.mark.parametrize(
    ("passed", "failed", "rate"),
    [
        ([], [70.0], 35.0),
        ([70.0], [], 85.0),
        ([70.0], [85.0], 77.5),
        ([35.0], [70.0, 52.5], 43.75),
        ([99.0], [], None),
        ([100.0], [], None),
    ],
)
def test_the_next_rate_is_half_way(passed: list[float], failed: list[float], rate: float | None) -> None:
    assert next_rate(passed, failed, ceiling=100.0) == rate


def run(first: float, ceiling: float, limit: float) -> list[tuple[float, float, bool]]:
    async def measure(rate: float, seconds: float) -> Phase:
        tried.append((rate, seconds, rate <= limit))
        failure = None if rate <= limit else "p99 too long"
        return replace(Phase("open", None, rate, summary(0.05), None), failure=failure)

    tried: list[tuple[float, float, bool]] = []
    asyncio.run(search(measure, first=first, ceiling=ceiling, seconds=20))
    return tried


def test_the_search_spends_the_time_it_was_given_and_halves_the_doubt() -> None:
    assert run(70, 100, 80) == [(70, 10, True), (85, 5, False), (77.5, 5, True)]
    assert run(70, 100, 0) == [(70, 10, False), (35, 5, False), (17.5, 5, False)]


def test_a_rate_given_by_the_user_is_not_exceeded() -> None:
    assert run(50, 50, 80) == [(50, 10, True)]
    assert run(50, 50, 40) == [(50, 10, False), (25, 5, True), (37.5, 5, True)]
