"""Intervals of percentiles and ratios."""

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strop.bench.confidence import mean_ratio, percentile_interval, ranks, variation


@given(st.integers(1, 400), st.sampled_from([0.5, 0.9, 0.99]))
def test_the_ranks_cover_the_quantile_as_often_as_they_claim_and_no_wider(count: int, share: float) -> None:
    def below(rank: int) -> float:
        """P(fewer than rank samples lie below the quantile), summed as the textbook has it."""
        return sum(comb(count, k) * share**k * (1 - share) ** (count - k) for k in range(rank))

    low, high = ranks(count, share)
    first, last = low or 0, high or count + 1
    assert below(first) <= 0.025 + 1e-12
    assert below(first + 1) > 0.025 - 1e-12
    if high is None:
        assert below(count) < 0.975 + 1e-12
    else:
        assert below(last) >= 0.975 - 1e-12
        assert below(last - 1) < 0.975 + 1e-12


@pytest.mark.parametrize(("count", "high"), [(367, None), (368, 368), (0, None)])
def test_a_p99_has_an_upper_bound_from_368_samples_on(count: int, high: int | None) -> None:
    assert ranks(count, 0.99)[1] == high


def test_the_interval_holds_the_true_percentile_about_as_often_as_it_says() -> None:
    chance, truth, held = np.random.default_rng(5), -np.log(0.01), 0
    for _ in range(1000):
        low, high = percentile_interval(chance.exponential(size=1000), 99.0)
        held += (low or 0.0) <= truth <= (high or np.inf)
    assert 935 <= held <= 985


def test_the_spread_of_repeats_is_a_share_of_their_mean() -> None:
    assert variation([90.0, 100.0, 110.0]) == pytest.approx(0.1)
    assert variation([100.0]) is None
    assert variation([0.0, 0.0]) is None


def test_a_ratio_is_the_geometric_mean_and_holds_whichever_side_is_on_top() -> None:
    over, under = [200.0, 100.0, 400.0], [100.0, 100.0, 100.0]
    ratio, (low, high) = mean_ratio(over, under)
    assert ratio == pytest.approx(2.0)
    assert low < ratio < high
    inverse, bounds = mean_ratio(under, over)
    assert (inverse, *bounds) == pytest.approx((1 / ratio, 1 / high, 1 / low))


def test_a_ratio_that_is_the_same_in_every_round_has_no_spread() -> None:
    assert mean_ratio([3.0, 6.0], [2.0, 4.0]) == (pytest.approx(1.5), pytest.approx((1.5, 1.5)))
