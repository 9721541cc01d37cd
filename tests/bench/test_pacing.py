"""When an open loop means to send."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strop.bench.pacing import arrivals, constant, poisson


@pytest.mark.parametrize(
    ("rate", "seconds", "times"),
    [
        (2.0, 2.0, [0.0, 0.5, 1.0, 1.5]),
        (10.0, 0.3, [0.0, 0.1, 0.2]),
        (1.0, 0.5, [0.0]),
        (3.0, 1.0, [0.0, 1 / 3, 2 / 3]),
    ],
)
def test_constant_arrivals_are_evenly_spaced(rate: float, seconds: float, times: list[float]) -> None:
    assert constant(rate, seconds) == pytest.approx(times)


@given(st.floats(0.1, 1000), st.floats(0.1, 20), st.integers(0, 2**32))
def test_arrivals_are_sorted_inside_the_phase_and_as_many_as_offered(
    rate: float, seconds: float, seed: int
) -> None:
    for kind in ("constant", "poisson"):
        times = arrivals(kind, rate, seconds, seed)
        assert abs(len(times) - rate * seconds) <= 1
        assert (np.diff(times) >= 0).all()
        assert ((times >= 0) & (times < seconds)).all()


def test_poisson_arrivals_come_in_bunches_and_repeat_with_the_seed() -> None:
    times = poisson(1000, 100, seed=3)
    gaps = np.diff(times)
    # An exponential's standard deviation is its mean; that of even spacing is 0.
    assert gaps.std() / gaps.mean() == pytest.approx(1.0, abs=0.02)
    assert (times == poisson(1000, 100, seed=3)).all()
    assert (times != poisson(1000, 100, seed=4)).any()
