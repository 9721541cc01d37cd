"""HDR histograms: what is recorded is read back, and histograms add up."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strop.bench import histogram

TIMES = st.lists(st.floats(1e-6, 100.0), min_size=1, max_size=200)


@given(TIMES, TIMES)
def test_histograms_added_up_are_the_histogram_of_all(some: list[float], others: list[float]) -> None:
    apart = [histogram.record(np.array(times)) for times in (some, others)]
    together = histogram.record(np.array(some + others))
    assert histogram.merge(apart) == together
    assert histogram.count(together) == len(some) + len(others)


@pytest.mark.parametrize("percent", [50.0, 90.0, 99.0])
def test_a_percentile_is_within_a_thousandth_of_the_exact_one(percent: float) -> None:
    times = np.random.default_rng(0).lognormal(-3.0, 1.0, 10_000)
    exact = np.quantile(times, percent / 100, method="inverted_cdf")
    assert histogram.percentile(histogram.record(times), percent) == pytest.approx(exact, rel=1e-3)


def test_too_few_calls_have_no_percentile() -> None:
    assert histogram.percentile(histogram.record(np.full(99, 0.1)), 99.0) is None
    assert histogram.percentile(histogram.record(np.array([])), 50.0) is None
