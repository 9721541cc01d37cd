"""The forecast learns what batches take, and how much later they may come."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strop.serve.scheduling.forecast import Forecast

batches = st.lists(st.tuples(st.integers(1, 512), st.floats(1e-5, 10.0)), min_size=1, max_size=50)


def test_it_finds_the_line_that_batches_lie_on() -> None:
    line = Forecast(1, [(tokens, 0.002 + 0.0001 * tokens) for tokens in (8, 64, 128, 32)])
    assert line.seconds(100) == pytest.approx(0.012)
    assert Forecast(2, [(100, 0.012)]).rate(100) == pytest.approx(2 * 100 / 0.012)


def test_it_follows_an_engine_that_becomes_slower() -> None:
    forecast = Forecast(1, [(8, 0.001), (128, 0.016)])
    for _ in range(300):
        for tokens in (8, 128):
            forecast.learn(tokens, 3 * tokens / 8000)
    assert forecast.seconds(64) == pytest.approx(3 * 64 / 8000, rel=0.05)


@given(batches)
def test_more_tokens_never_seem_to_take_less_time(measured: list[tuple[int, float]]) -> None:
    forecast = Forecast(1, measured)
    times = [forecast.seconds(tokens) for tokens in range(0, 600, 20)]
    assert times == sorted(times)
    assert times[0] >= -1e-9


def test_the_margin_covers_all_but_a_few_of_what_comes_late() -> None:
    forecast, dice = Forecast(1, [(100, 0.010)]), random.Random(3)
    late = 0
    for number in range(4000):
        seconds = 0.010 + dice.expovariate(1 / 0.003)
        late += number >= 1000 and seconds > forecast.seconds(100) + forecast.margin
        forecast.came(100, seconds)
    assert 0.03 < late / 3000 < 0.07
