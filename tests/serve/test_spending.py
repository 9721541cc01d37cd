"""What a running server says that it costs."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strop.cost import dollars_per_million
from strop.errors import InputError
from strop.proto import strop_pb2 as typed
from strop.proto import strop_pb2_grpc as typed_grpc
from strop.serve.config import ServeConfig
from strop.serve.observe.spending import Spending
from strop.serve.observe.window import WINDOW_SECONDS

HOURLY = 0.36


class Box:
    """A machine on a clock of its own."""

    def __init__(self) -> None:
        self.now, self.texts = 1000.0, 0.0
        self.spending = Spending(HOURLY, lambda: self.texts, lambda: self.now)

    def goes_on(self, seconds: float, rate: float) -> None:
        """Answer so many texts a second, marked every ten seconds."""
        end = self.now + seconds
        while self.now < end:
            step = min(10.0, end - self.now)
            self.now += step
            self.texts += rate * step
            self.spending.window.mark()

    def value(self, name: str, **labels: str) -> float:
        samples = [sample for metric in self.spending.collect() for sample in metric.samples]
        (found,) = [one.value for one in samples if (one.name, one.labels) == (name, labels)]
        return float(found)

    def per_million(self, over: str) -> float:
        return self.value("strop_dollars_per_million_queries", over=over)


def test_an_hour_computed_by_hand() -> None:
    box = Box()
    box.goes_on(3600, rate=100)
    assert box.value("strop_dollars_spent_total") == pytest.approx(HOURLY)
    # 0.36 $/h is 0.0001 $/s: at 100 a second a millionth of a dollar each.
    assert box.per_million("start") == pytest.approx(1.0)
    assert box.per_million("5m") == pytest.approx(1.0)


def test_the_last_minutes_forget_what_was_before_them() -> None:
    box = Box()
    box.goes_on(3600, rate=100)
    box.goes_on(WINDOW_SECONDS, rate=50)
    assert box.per_million("5m") == pytest.approx(2.0)
    assert 1.0 < box.per_million("start") < 1.1


def test_what_is_paid_for_and_does_nothing_has_no_finite_price() -> None:
    box = Box()
    assert box.per_million("start") == math.inf
    box.goes_on(60, rate=10)
    box.goes_on(2 * WINDOW_SECONDS, rate=0)
    assert box.per_million("5m") == math.inf
    assert box.per_million("start") < math.inf


@given(st.floats(1, 20_000), st.floats(0.1, 1e5))
def test_it_is_the_formula_of_the_bench_at_the_rate_that_was_answered(seconds: float, rate: float) -> None:
    box = Box()
    box.goes_on(seconds, rate)
    assert box.per_million("start") == pytest.approx(dollars_per_million(HOURLY, rate, 1.0))


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_tells_what_it_spends(
    start_server: Callable[..., Any],
    tiny_bundle: Path,
    until: Callable[[Callable[[], Any]], Any],
    workers: str,
) -> None:
    server = start_server(tiny_bundle, "--dollars-per-hour", "3600", "--workers", workers)
    over = {"over": "start"}
    assert server.metric("strop_dollars_per_hour") == 3600
    assert server.metric("strop_dollars_per_million_queries", **over) == math.inf
    with grpc.insecure_channel(server.address) as channel:
        typed_grpc.StropStub(channel).Classify(typed.ClassifyRequest(texts=["good film", "bad"]))
    # At a dollar a second for the whole machine, however many workers it has.
    page = server.metrics()
    spent = page["strop_dollars_spent_total", frozenset()]
    assert spent > 0
    per_million = page["strop_dollars_per_million_queries", frozenset(over.items())]
    assert per_million == pytest.approx(1e6 * spent / 2, rel=0.01)
    until(lambda: server.metric("strop_dollars_spent_total") > spent)


def test_a_server_without_a_price_says_nothing_of_dollars(server: Any) -> None:
    assert not [name for name, _ in server.metrics() if "dollars" in name]


@pytest.mark.parametrize("price", ["0", "-1", "nan", "inf"])
def test_a_price_that_is_none_is_refused(
    refuse_to_start: Callable[..., Any], tiny_bundle: Path, price: str
) -> None:
    ended = refuse_to_start(tiny_bundle, f"--dollars-per-hour={price}")
    assert ended.returncode == 2
    assert "--dollars-per-hour is" in ended.stderr


@pytest.mark.parametrize("tariff", [-0.1, math.nan, math.inf])
def test_a_tariff_that_is_none_is_refused(tariff: float) -> None:
    with pytest.raises(InputError, match=r"--tariff is .*; give US dollars per kilowatt-hour"):
        ServeConfig(Path("bundle"), tariff=tariff)
