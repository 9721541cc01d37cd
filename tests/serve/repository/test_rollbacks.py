"""What is kept of versions that lost their share of the calls."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from strop.errors import InputError
from strop.serve.repository.key import Key
from strop.serve.repository.rollbacks import Rollback, Rollbacks, case_of
from strop.serve.repository.routes import Bounds, Route

ROUTE = Route(weights={"1": 95, "2": 5}, rollback=Bounds())
KEY, CASE = Key("films", "2"), case_of(ROUTE, "ours", "main")


@pytest.fixture
def routes(tmp_path: Path) -> Path:
    return tmp_path / "routes.toml"


def test_what_was_kept_is_known_again_in_the_same_case_alone(routes: Path) -> None:
    Rollbacks(routes).add(KEY, Rollback(CASE, "50 % of its calls failed"))
    again = Rollbacks(routes)
    assert again.why(KEY, CASE) == "50 % of its calls failed"
    for other in (
        case_of(replace(ROUTE, rollback=Bounds(min_calls=10)), "ours", "main"),
        case_of(replace(ROUTE, weights={"1": 90, "2": 10}), "ours", "main"),
        case_of(ROUTE, "another bundle", "main"),
        case_of(ROUTE, "ours", "another main bundle"),
    ):
        assert again.why(KEY, other) is None
    assert again.why(Key("tweets", "2"), CASE) is None


def test_workers_keep_each_others_and_a_changed_route_has_none(routes: Path) -> None:
    one, two = Rollbacks(routes), Rollbacks(routes)
    one.add(KEY, Rollback(CASE, "slow"))
    two.add(Key("tweets", "7"), Rollback(CASE, "wrong"))
    both = Rollbacks(routes)
    assert (both.why(KEY, CASE), both.why(Key("tweets", "7"), CASE)) == ("slow", "wrong")
    both.remove("films")
    left = Rollbacks(routes)
    assert (left.why(KEY, CASE), left.why(Key("tweets", "7"), CASE)) == (None, "wrong")


def test_nothing_is_written_before_there_is_something_to_keep(routes: Path) -> None:
    Rollbacks(routes).remove("films")
    assert not list(routes.parent.iterdir())
    kept = Rollbacks(None)
    kept.add(KEY, Rollback(CASE, "slow"))
    assert kept.why(KEY, CASE) == "slow"


@pytest.mark.parametrize("text", ["", "[]", '{"schema": "strop.rollbacks/9"}', '{"schema": 1', "null"])
def test_what_no_server_wrote_is_refused_with_the_fix(routes: Path, text: str) -> None:
    path = routes.with_name("routes.toml.rolled-back.json")
    path.write_text(text)
    with pytest.raises(InputError, match=r"rolled-back\.json can't be read: .*; remove it to have all"):
        Rollbacks(routes)


def test_where_nothing_can_be_written_it_is_known_until_the_end_and_the_log_says_so(
    routes: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = Rollbacks(routes.parent / "gone" / "routes.toml")
    kept.add(KEY, Rollback(CASE, "slow"))
    assert kept.why(KEY, CASE) == "slow"
    assert "at a restart it is forgotten" in caplog.text
    assert os.strerror(2) in caplog.text
