"""When an open loop means to send."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strop.bench.pacing import Shape, bursts, constant, poisson, replay, steps


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
        times = Shape(kind).times(rate, seconds, seed)
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


def test_a_trace_keeps_its_gaps_and_starts_over_after_its_mean_gap() -> None:
    times = replay([10.0, 10.0, 13.0], rate=3.0, seconds=2.0)
    # Gaps 0, 3, then the mean 1.5: seven times 9 seconds of trace in two.
    assert np.diff(times) * 9 / 2 == pytest.approx([0, 3, 1.5, 0, 3])
    assert len(times) == 6


@given(
    st.lists(st.floats(0, 1e6), min_size=2, max_size=50).filter(
        lambda times: max(times) - min(times) > 1e-3
    ),
    st.floats(1, 500),
    st.floats(0.1, 10),
)
def test_a_trace_is_scaled_to_the_offered_rate(arrived: list[float], rate: float, seconds: float) -> None:
    times = Shape("trace", sorted(arrived)).times(rate, seconds, 0)
    assert len(times) == round(rate * seconds)
    assert (np.diff(times) >= 0).all()
    assert ((times >= 0) & (times <= seconds)).all()


@given(st.floats(1, 500), st.floats(0.5, 10), st.floats(1.1, 20), st.floats(0.05, 3))
def test_bursts_offer_the_rate_and_nothing_between_them(
    rate: float, seconds: float, factor: float, period: float
) -> None:
    times = bursts(rate, seconds, 1, factor, period)
    assert len(times) == round(rate * seconds)
    assert (np.diff(times) >= 0).all()
    assert ((times >= 0) & (times < seconds)).all()
    assert ((times % period <= period / factor + 1e-9) | (period - times % period < 1e-9)).all()


def test_a_burst_has_the_factor_times_the_mean_rate() -> None:
    times = bursts(100, 100, 1, factor=5, period=1)
    assert np.bincount((times % 1 // 0.1).astype(int), minlength=10)[:2] == pytest.approx(
        [5000] * 2, rel=0.05
    )


def test_a_ramp_has_both_its_ends() -> None:
    assert steps(50, 500, 4) == [50, 200, 350, 500]
