"""The price that earns most, against trying many."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strop.bench.cost.profit import Market, best_price, sensitivity

markets = st.builds(
    Market, price=st.floats(0.01, 100), volume=st.floats(0.01, 1e4), elasticity=st.floats(0.1, 5)
)


def test_a_market_computed_by_hand() -> None:
    # 10 million a month at $2 and ε = 1: nobody at $4, 20 million for nothing, so p = 4 - Q / 5.
    market = Market(2.0, 10.0, 1.0)
    assert (market.choke_price, market.demanded(0.0), market.demanded(4.0)) == (4.0, 20.0, 0.0)
    # Marginal revenue 4 - 2 Q / 5 meets a cost of 1 at Q = 7.5, p = 2.5: a profit of 1.5 x 7.5, less 3.
    best = best_price(market, 1.0, fixed_cost=3.0)
    assert (best.price, best.volume, best.profit) == pytest.approx((2.5, 7.5, 8.25))
    # Sold out at 5 million.
    assert best_price(market, 1.0, capacity=5.0).price == pytest.approx(3.0)
    assert best_price(market, 9.0).volume == 0


@given(markets, st.floats(0, 200), st.floats(0.01, 1e5))
def test_no_price_of_many_earns_more(market: Market, cost: float, capacity: float) -> None:
    best = best_price(market, cost, capacity=capacity)
    prices = np.linspace(0, market.choke_price, 301)
    earned = [(price - cost) * min(market.demanded(price), capacity) for price in prices]
    assert best.profit >= max(earned) - 1e-6 * (1 + abs(max(earned)))


@given(markets, st.floats(0, 50), st.floats(1.1, 10))
def test_a_higher_cost_means_a_higher_price_and_less_profit(
    market: Market, cost: float, factor: float
) -> None:
    low, high = best_price(market, cost), best_price(market, cost * factor)
    assert high.price >= low.price - 1e-9
    assert high.profit <= low.profit + 1e-9
    # Scale-free: in cents instead of dollars it is the same price.
    cents = Market(market.price * 100, market.volume, market.elasticity)
    assert best_price(cents, cost * 100).price == pytest.approx(low.price * 100)


def test_the_sensitivity_varies_one_thing_at_a_time() -> None:
    rows = sensitivity(Market(2.0, 10.0, 1.0), 1.0)
    assert all(1.0 in row[:2] for row in rows)
    assert rows[2][2] == best_price(Market(2.0, 10.0, 1.0), 1.0)


def test_a_market_without_numbers_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        Market(0.0, 1.0, 1.0)
