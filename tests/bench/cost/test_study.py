"""A cost study from a report on disk, through the command line."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

RENTED = """
[[machine]]
name = "half"
title = "Half a dollar"
hardware = "2 cores"
dollars_per_hour = 0.36
seen = 2026-11-01
source = "an invoice"

[[api]]
name = "apiece"
title = "A cent a thousand"
unit = "request"
tiers = [[inf, 1e-5]]
seen = 2020-01-01
source = "a letter"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    report = {
        "schema": "strop.bench/2",
        "sustained_rate": 100.0,
        "conditions": "measured here on a test, 2 cores",
        "lengths": {"4": 1, "8": 1},
    }
    (tmp_path / "report.json").write_text(json.dumps(report))
    (tmp_path / "prices.toml").write_text(RENTED)
    return tmp_path


def _cost(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    prices = ("--prices", str(folder / "prices.toml"), "--machines", "half", "--apis", "apiece")
    command = [sys.executable, "-m", "strop", "cost", str(folder / "report.json"), *prices, *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def _study(folder: Path, *options: str) -> dict[str, Any]:
    done = _cost(folder, *options)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads((folder / "cost.json").read_text())
    return found


def test_a_study_computed_by_hand(folder: Path) -> None:
    study = _study(folder, "--demand", "flat:50", "--market-price", "4", "--elasticity", "1")
    (offer,), (rival,) = study["offers"], study["rivals"]
    # 0.36 $/h is 0.0001 $/s: a millionth of a dollar a query at 100/s, two at half that.
    assert offer["at_full_load"] == pytest.approx(1.0)
    assert offer["dollars_per_million"] == pytest.approx(2.0)
    assert offer["years_cost"] == pytest.approx(0.36 * 8760 * 3)
    assert rival["dollars_per_million"] == pytest.approx(10.0)
    assert rival["break_even"] == pytest.approx(10.0)
    assert study["volume"]["tokens"] == pytest.approx(1.5)
    # Nobody buys at 8 $; halfway between that and the cost of 1 $ is best.
    best = next(row for row in study["profit"] if row["cost_factor"] == row["elasticity_factor"] == 1)
    assert best["price"] == pytest.approx(4.5)
    page = (folder / "cost.md").read_text()
    assert page.startswith("# $2 per million queries on Half a dollar")
    assert "An assumption for half: as fast as what was measured here on a test" in page
    assert "apiece is" in page  # days old


def test_a_rate_of_the_users_own_is_told_as_such(folder: Path) -> None:
    study = _study(folder, "--rates", "half=200", "--discount", "0.5")
    assert study["offers"][0]["at_full_load"] == pytest.approx(0.25)
    assert "The rate of half is yours" in (folder / "cost.md").read_text()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--rates", "other=3"), "'other' is not among --machines half"),
        (("--rates", "half=fast"), "give NAME=QUERIES_PER_SECOND"),
        (("--demand", "flat:0"), "--demand flat:0: hourly rates are"),
        (("--demand", "nowhere.txt"), "give flat:RATE or a file with 24 rates"),
        (("--apis", "apeice"), "did you mean apiece"),
        (("--discount", "1"), "--discount is 1"),
    ],
)
def test_wrong_options_are_named(folder: Path, options: tuple[str, ...], complaint: str) -> None:
    done = _cost(folder, *options)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert not (folder / "cost.json").exists()


def test_a_report_without_a_rate_or_of_something_else_is_refused(folder: Path) -> None:
    for report, complaint in (
        ({"schema": "strop.bench/2", "sustained_rate": None}, "no rate met its SLO"),
        ({"schema": "strop.bench/2", "sustained_rate": 1.0}, "doesn't tell the lengths"),
        ({"schema": "other/1"}, "is not a report of strop bench"),
    ):
        (folder / "report.json").write_text(json.dumps(report))
        done = _cost(folder)
        assert done.returncode == 2
        assert complaint in done.stderr
