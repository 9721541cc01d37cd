"""Percentiles, rates and errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strop.bench import histogram
from strop.bench.client import Outcome
from strop.bench.load import Samples
from strop.bench.protocols import Stages
from strop.bench.statistics import median_stages, percentile, summarise


def samples(
    latency: list[float], statuses: dict[int, str] | None = None, lag: float = 0.0, cpu: float = 0.1
) -> Samples:
    """One call every 10 ms, the first at 0; sending ends 10 ms after the last."""
    intended = np.arange(len(latency), dtype=np.float64) * 0.01
    outcomes = tuple(Outcome((statuses or {}).get(n, "OK")) for n in range(len(latency)))
    return Samples(
        request=np.arange(len(latency)),
        intended=intended,
        sent=intended + lag,
        done=intended + np.array(latency, dtype=np.float64),
        outcomes=outcomes,
        begin=0.0,
        end=len(latency) * 0.01,
        client_cpu=cpu,
    )


@pytest.mark.parametrize(
    ("count", "percent", "expected"),
    [
        (100, 50.0, 50.0),
        (100, 99.0, 99.0),
        (99, 99.0, None),
        (1000, 99.9, 999.0),
        (999, 99.9, None),
        (1, 50.0, None),
        (0, 50.0, None),
    ],
)
def test_a_percentile_is_a_sample_and_needs_enough_of_them(
    count: int, percent: float, expected: float | None
) -> None:
    values = np.random.default_rng(1).permutation(np.arange(1.0, count + 1))
    assert percentile(values, percent) == expected


@given(st.integers(1000, 5000), st.integers(0, 2**32))
def test_percentiles_rise(count: int, seed: int) -> None:
    array = np.random.default_rng(seed).exponential(size=count)
    found = [percentile(array, percent) or 0.0 for percent in (50.0, 90.0, 99.0, 99.9)]
    assert found == sorted(found)
    assert found[-1] <= array.max()


def test_the_rate_counts_texts_over_the_whole_span_and_goodput_only_those_in_time() -> None:
    summary = summarise(samples([0.05] * 90 + [0.5] * 10), slo=0.1, texts_per_call=4)
    # The last call was meant for 0.99 s and took 0.5 s.
    assert summary.seconds == pytest.approx(1.49)
    assert summary.rate == pytest.approx(400 / 1.49)
    assert summary.goodput == pytest.approx(360 / 1.49)
    assert summary.longest == pytest.approx(0.5)


def test_failed_calls_count_by_status_and_not_as_answers() -> None:
    summary = summarise(
        samples([0.01] * 10, {3: "UNAVAILABLE", 5: "DEADLINE_EXCEEDED", 7: "UNAVAILABLE"}),
        slo=0.1,
        texts_per_call=1,
    )
    assert dict(summary.errors) == {"UNAVAILABLE": 2, "DEADLINE_EXCEEDED": 1}
    assert (summary.calls, summary.answered) == (10, 7)


def test_every_answered_call_is_in_the_histogram() -> None:
    summary = summarise(samples([0.0000001, 0.001, 0.001, 5.0, 7200.0]), slo=0.1, texts_per_call=1)
    assert histogram.count(summary.hdr) == 5
    assert histogram.percentile(summary.hdr, 50.0) == pytest.approx(0.001, rel=1e-3)


def test_a_phase_without_an_answer_has_no_percentiles() -> None:
    summary = summarise(
        samples([0.1] * 3, dict.fromkeys(range(3), "UNAVAILABLE")), slo=0.1, texts_per_call=1
    )
    assert (summary.rate, summary.goodput, summary.longest) == (0.0, 0.0, None)
    assert set(summary.percentiles.values()) == {None}


def test_the_client_says_when_it_was_the_limit() -> None:
    calm = summarise(samples([0.05] * 100, lag=0.001), slo=0.1, texts_per_call=1)
    late = summarise(samples([0.05] * 100, lag=0.02), slo=0.1, texts_per_call=1)
    busy = summarise(samples([0.05] * 100, cpu=0.97), slo=0.1, texts_per_call=1)
    assert calm.client_limited is None
    assert "lagged 20 ms" in str(late.client_limited)
    assert "0.97 cores" in str(busy.client_limited)


def test_stages_are_medians_each_on_its_own() -> None:
    assert median_stages([]) is None
    stages = [Stages(1, 5, 3, 9), Stages(2, 4, 9, 15), Stages(3, 6, 1, 10)]
    assert median_stages(stages) == Stages(2, 5, 3, 10)
