"""What a query costs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strop.cost import (
    dollars_per_million,
    energy_dollars_per_million,
    joules_per_query,
    kwh_per_million,
    owned_dollars_per_hour,
)

hourly = st.floats(0.001, 1000)
rates = st.floats(0.01, 1e6)
shares = st.floats(0.01, 1)


def test_a_case_computed_by_hand() -> None:
    # 0.36 $/h is 0.0001 $/s; at 100 queries/s that is a millionth of a dollar each.
    assert dollars_per_million(0.36, 100, 1.0) == pytest.approx(1.0)
    # A machine half in use costs double a query.
    assert dollars_per_million(0.36, 100, 0.5) == pytest.approx(2.0)


def test_an_owned_box_computed_by_hand() -> None:
    # 262.80 $ over 3 years of 8,760 hours is 0.01 $/h; 25 W at 0.20 $/kWh is 0.005 $/h.
    assert owned_dollars_per_hour(262.80, 3, 25, 0.20) == pytest.approx(0.015)


def test_electricity_computed_by_hand() -> None:
    assert joules_per_query(25, 100) == pytest.approx(0.25)
    # 360,000 J for a million queries are a tenth of a kilowatt-hour.
    assert kwh_per_million(0.36) == pytest.approx(0.1)
    assert energy_dollars_per_million(0.36, 0.20) == pytest.approx(0.02)


@given(hourly, rates, shares, st.floats(1.01, 100))
def test_a_faster_machine_costs_less_and_a_dearer_one_more(
    price: float, rate: float, share: float, factor: float
) -> None:
    cost = dollars_per_million(price, rate, share)
    assert dollars_per_million(price, rate * factor, share) < cost
    assert dollars_per_million(price * factor, rate, share) > cost


@given(hourly, rates, shares, st.floats(0.01, 100))
def test_twice_the_machines_at_twice_the_rate_cost_the_same(
    price: float, rate: float, share: float, factor: float
) -> None:
    cost = dollars_per_million(price, rate, share)
    assert dollars_per_million(price * factor, rate * factor, share) == pytest.approx(cost)


@given(st.floats(1, 1e5), st.floats(0.5, 10), st.floats(0, 1000), st.floats(0, 2))
def test_a_box_that_lasts_longer_costs_less_an_hour_but_never_less_than_its_power(
    price: float, years: float, watts: float, tariff: float
) -> None:
    cost = owned_dollars_per_hour(price, years, watts, tariff)
    assert watts / 1000 * tariff < owned_dollars_per_hour(price, years * 2, watts, tariff) < cost


@pytest.mark.parametrize(("rate", "share"), [(0.0, 1.0), (-1.0, 1.0), (1.0, 0.0), (1.0, 1.1)])
def test_a_rate_or_share_that_means_nothing_is_refused(rate: float, share: float) -> None:
    with pytest.raises(ValueError, match="no cost"):
        dollars_per_million(1.0, rate, share)
