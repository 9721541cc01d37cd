"""Demand over a day, against counting by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strop.bench.cost.demand import Demand

# Not below a query in ten days: what is smaller than that is no demand, and may vanish in a division.
RATES = st.just(0.0) | st.floats(1e-6, 1e4)
days = st.lists(RATES, min_size=24, max_size=24).filter(any).map(lambda day: Demand(tuple(day)))
rates = st.floats(0.1, 1e4)


def test_a_day_computed_by_hand() -> None:
    day = Demand((0.0,) * 12 + (250.0,) * 12)
    assert day.mean == 125
    assert day.per_month == 125 * 86400 * 30
    assert day.machines(100) == 3
    # Three machines all day could answer 300 a second; one by night and three by day, 200 on average.
    assert day.utilisation(100, elastic=False) == pytest.approx(125 / 300)
    assert day.machine_hours(100, elastic=True) == 12 * 1 + 12 * 3
    assert day.utilisation(100, elastic=True) == pytest.approx(125 / 200)


@given(days, rates)
def test_every_hour_is_met_and_stopping_machines_never_takes_more_of_them(day: Demand, rate: float) -> None:
    assert day.machines(rate) * rate >= max(day.hourly) * (1 - 1e-9)
    assert day.machine_hours(rate, elastic=True) <= day.machine_hours(rate, elastic=False)
    assert 0 < day.utilisation(rate, elastic=False) <= day.utilisation(rate, elastic=True) <= 1 + 1e-9


@given(days, rates, st.floats(1.5, 100))
def test_twice_the_demand_on_machines_twice_as_fast_is_the_same(
    day: Demand, rate: float, factor: float
) -> None:
    scaled = Demand(tuple(one * factor for one in day.hourly))
    assert abs(scaled.machines(rate * factor) - day.machines(rate)) <= 1  # rounding at a whole number


@pytest.mark.parametrize("hourly", [(1.0,) * 23, (0.0,) * 24, (-1.0,) + (1.0,) * 23, (float("inf"),) * 24])
def test_what_is_no_day_is_refused(hourly: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="hourly"):
        Demand(hourly)
