"""Who gets which version: weights, stickiness, the file, and when a version loses its share."""

import math
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strop.errors import InputError
from strop.serve.repository.record import Record, Summary, fault
from strop.serve.repository.routes import Bounds, Route, read_routes, sticky_point

WEIGHTS = st.dictionaries(st.sampled_from("12345"), st.floats(0.5, 100), min_size=1)
POINTS = st.floats(0, 1, exclude_max=True)


@given(weights=WEIGHTS, point=POINTS)
def test_an_able_version_is_chosen_by_its_share(weights: dict[str, float], point: float):
    route = Route(weights=weights)
    assert route.choose(point, dict.fromkeys(weights, True)) in weights
    assert route.choose(point, {}) is None
    (main, *_) = sorted(weights, key=weights.__getitem__, reverse=True)
    others_out = {version: weights[version] == weights[main] for version in weights}
    assert weights[str(route.choose(point, others_out))] == weights[main]


@given(weights=WEIGHTS, point=POINTS, out=st.sampled_from("12345"))
def test_a_version_that_is_taken_off_moves_nobody_else(weights: dict[str, float], point: float, out: str):
    route = Route(weights=weights)
    before = route.choose(point, dict.fromkeys(weights, True))
    after = route.choose(point, {version: version != out for version in weights})
    assert after == before or before == out


def test_keys_are_spread_by_the_weights_and_stay_where_they_are():
    route, able = Route(weights={"3": 95, "4": 5}), {"3": True, "4": True}
    chosen = {key: route.choose(sticky_point(key), able) for key in map(str, range(20_000))}
    assert Counter(chosen.values())["4"] / len(chosen) == pytest.approx(0.05, abs=0.005)
    raised = Route(weights={"3": 80, "4": 20})
    for key, version in chosen.items():
        if version == "4":  # more for the canary takes nobody from it
            assert raised.choose(sticky_point(key), able) == "4"


def routes_of(tmp_path: Path, text: str) -> dict[str, Route]:
    path = tmp_path / "routes.toml"
    path.write_text(text)
    return read_routes(path)


def test_routes_are_read_with_their_aliases_resolved(tmp_path: Path):
    (route,) = routes_of(
        tmp_path,
        """
[reviews]
aliases = { stable = "3", canary = "4" }
weights = { stable = 95, canary = 5 }
shadow_share = 0.5
[reviews.rollback]
min_calls = 20
""",
    ).values()
    assert route.weights == {"3": 95, "4": 5}
    assert (route.main, route.versions) == ("3", {"3", "4"})
    assert route.rollback == Bounds(min_calls=20)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a", "can't be read"),
        ("a = 3", "[a] "),
        ("[a]\nwieghts = {}", "[a] has wieghts; known are aliases, weights"),
        ("[a]\nweights = { 1 = -1, 2 = 3 }", "weights must be 0 or more"),
        ("[a]\nweights = { 1 = 0 }", "one of them above 0"),
        ('[a]\naliases = { x = "1" }\nweights = { x = 1, 1 = 1 }', "one version under two names"),
        ("[a]\nshadow_share = 1.5", "shadow_share is 1.5"),
        ("[a]\nweights = { 1 = 1 }\nshadow = '2'", "shadow needs a shadow_share"),
        (
            "[a]\n[a.rollback]\ncalls = 3",
            "rollback has 'calls', which is not known; known are seconds, min_calls",
        ),
        ("[a]\n[a.rollback]\nmax_p99_ratio = 0.5", "max_p99_ratio of 1 or more"),
    ],
)
def test_wrong_routes_are_named(tmp_path: Path, text: str, message: str):
    with pytest.raises(InputError) as raised:
        routes_of(tmp_path, text)
    assert message in str(raised.value)


def test_a_record_counts_only_what_is_recent():
    record = Record()
    for second in range(10):
        record.ended(second, 0.01 * second, failed=second % 2 == 1)
    record.compared(3, 0.5, 10)
    record.compared(8, 1.0, 30)
    assert record.since(2) == Summary(8, 0.5, 0.08, 40, 0.875)
    assert record.since(7) == Summary(3, pytest.approx(2 / 3), 0.08, 30, 1.0)
    empty = record.since(11)
    assert (empty.calls, empty.error_share, empty.compared) == (0, 0.0, 0)
    assert math.isnan(empty.p99)


GOOD = Summary(calls=500, error_share=0.01, p99=0.02, compared=500, agreement=0.97)


@pytest.mark.parametrize(
    ("ours", "reason"),
    [
        (GOOD, None),
        (Summary(99, 1.0, 9.0, 99, 0.0), None),
        (Summary(100, 0.04, 0.02, 0, math.nan), "4.0% of its 100 calls failed"),
        (Summary(100, 0.02, 0.05, 0, math.nan), "its p99 is 50.0 ms"),
        (Summary(0, 0.0, math.nan, 100, 0.5), "50.0% of 100 texts"),
        (Summary(100, 1.0, math.nan, 0, math.nan), "100.0% of its 100 calls failed"),
    ],
)
def test_a_version_may_not_go_on_past_a_bound(ours: Summary, reason: str | None):
    found = fault(ours, GOOD, Bounds())
    assert found is None if reason is None else found is not None and found.startswith(reason)


def test_nothing_is_judged_by_a_main_version_that_has_hardly_been_asked():
    assert fault(Summary(500, 0.0, 9.0, 0, math.nan), Summary(5, 0.0, 0.01, 0, math.nan), Bounds()) is None
