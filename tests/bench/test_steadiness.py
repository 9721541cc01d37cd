"""Drift and outliers."""

import numpy as np
import pytest

from strop.bench.steadiness import drift, outliers, trend

CALLS = 2000


def lognormal(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).lognormal(-4.0, 0.5, CALLS)


def test_a_queue_that_grows_is_a_drift_by_as_much_as_it_grows() -> None:
    times = np.linspace(0.0, 60.0, CALLS)
    found = drift(times, lognormal(1) * (1 + times / 60))
    assert found
    assert found.matters
    # From 1 to 2, over the 1.5 in the middle; the windows at the ends lie half a window inside.
    assert found.change == pytest.approx(1 / 1.5, abs=0.15)


def test_a_steady_load_hardly_ever_has_a_drift_that_matters() -> None:
    found = [drift(np.linspace(0.0, 60.0, CALLS), lognormal(seed)) for seed in range(200)]
    # By chance alone one in a hundred is significant, and few of those are large.
    assert sum(one is not None and one.matters for one in found) <= 3


def test_mann_kendall_is_that_of_the_textbook() -> None:
    # All 10 pairs rise: S = 10, variance 5 x 4 x 15 / 18, z = 9 / 4.082 = 2.205.
    found = trend([1.0, 2.0, 3.0, 4.0, 5.0])
    assert found
    assert found.p_value == pytest.approx(0.0275, abs=1e-4)
    assert found.change == pytest.approx(4 / 3)
    level = trend([2.0] * 8)
    assert level
    assert (level.change, level.p_value) == (0.0, 1.0)


def test_few_calls_tell_no_drift() -> None:
    assert trend([1.0] * 4) is None
    assert drift(np.arange(49.0), np.ones(49)) is None


def test_a_call_far_outside_is_an_outlier_and_a_long_tail_is_none() -> None:
    latency = lognormal(2)
    assert outliers(latency) is None
    latency[7] = 5.0
    found = outliers(latency)
    assert found
    assert (found.count, found.fence < 5.0) == (1, True)
    assert str(found).endswith(" ms: 1")
