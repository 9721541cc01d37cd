"""Two reports side by side, through the command line."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strop.bench.comparison.figures import Figure

Strop = Callable[..., int]
Save = Callable[..., str]

REPORT: dict[str, Any] = {
    "schema": "strop.bench/2",
    "server": {"task": "text-classification"},
    "host": {"cpu": "a cpu", "cores": 2},
    "config": {"slo_ms": 100.0, "texts": "test.jsonl"},
    "sustained_rate": 500.0,
    "phases": [
        {"loop": "closed", "failure": None, "summary": {"rate": 900.0, "percentiles": {"p99": 0.2}}},
        {"loop": "open", "failure": "p99 120 ms", "summary": {"rate": 600.0, "percentiles": {"p99": 0.12}}},
        {
            "loop": "open",
            "failure": None,
            "summary": {"rate": 500.0, "percentiles": {"p50": 0.02, "p99": 0.08}},
        },
    ],
    "accuracy": {"metrics": {"accuracy": 0.8, "macro_f1": 0.7}},
    "costs": [{"name": "box", "dollars_per_million": 0.04}],
}


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Writes a report with some fields changed; gives its path."""

    def write(name: str, change: Callable[[dict[str, Any]], None] = lambda _: None) -> str:
        report = copy.deepcopy(REPORT)
        change(report)
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(report))
        return str(path)

    return write


def slower(report: dict[str, Any]) -> None:
    report["sustained_rate"] = report["phases"][2]["summary"]["rate"] = 450.0
    report["phases"][2]["summary"]["percentiles"]["p99"] = 0.09
    report["accuracy"]["metrics"] = {"accuracy": 0.79, "macro_f1": 0.5}
    report["costs"][0]["dollars_per_million"] = 0.04 * 500 / 450


def lost(report: dict[str, Any]) -> None:
    report["sustained_rate"] = report["costs"][0]["dollars_per_million"] = None
    report["phases"][2]["failure"] = "p99 130 ms"


def test_every_difference_is_shown_with_its_ratio(
    strop: Strop, save: Save, capsys: pytest.CaptureFixture[str]
) -> None:
    assert strop("bench", "compare", save("one"), save("two", slower)) == 0
    rows = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "rate within the SLO texts/s 500 450 -50 0.900 ×" in rows
    assert "p99 at that rate ms 80 90 +10 1.125 ×" in rows
    assert "macro-f1 0.7 0.5 -0.2 0.714 ×" in rows
    assert "on box $/million 0.04 0.04444 +0.004444 1.111 ×" in rows


def test_the_gate_names_what_got_worse_by_more_than_allowed(
    strop: Strop, save: Save, capsys: pytest.CaptureFixture[str]
) -> None:
    base = save("base")
    assert strop("bench", "gate", "--against", base, save("new", slower)) == 1
    printed, complaint = capsys.readouterr()
    # Accuracy fell by 1.25 %; macro-F1 fell by more, but the task goes by accuracy.
    assert [line.split(" was ")[0] for line in printed.splitlines()] == [
        "worse: rate within the SLO",
        "worse: p99 at that rate",
        "worse: on box",
    ]
    assert complaint.startswith("strop: 3 of 4 figures")
    assert strop("bench", "gate", "--against", base, save("new", slower), "--max-regression", "13%") == 0
    assert strop("bench", "gate", "--against", base, save("new", slower), "--max-regression", "0.01") == 1
    assert "worse: accuracy was 0.8, is 0.79, -1.2%" in capsys.readouterr().out
    assert strop("bench", "gate", "--against", save("new", slower), base) == 0


def test_a_rate_that_is_no_longer_reached_is_worse_and_one_that_never_was_is_not(
    strop: Strop, save: Save, capsys: pytest.CaptureFixture[str]
) -> None:
    base, new = save("base"), save("new", lost)
    assert strop("bench", "gate", "--against", base, new) == 1
    assert capsys.readouterr().out == "worse: rate within the SLO was 500, is n/a texts/s\n"
    assert strop("bench", "gate", "--against", new, base) == 0


@pytest.mark.parametrize("command", [("compare",), ("gate", "--against")])
@pytest.mark.parametrize(
    ("part", "fact", "value"),
    [("host", "cpu", "another"), ("host", "cores", 4), ("server", "task", "regression")],
)
def test_unlike_machines_are_refused_unless_told(
    strop: Strop,
    save: Save,
    capsys: pytest.CaptureFixture[str],
    command: tuple[str, ...],
    part: str,
    fact: str,
    value: object,
) -> None:
    words = ("bench", *command, save("one"), save("two", lambda report: report[part].update({fact: value})))
    assert strop(*words) == 2
    complaint = capsys.readouterr().err
    assert f"{fact} is" in complaint
    assert "--unlike-machines" in complaint
    assert strop(*words, "--unlike-machines") == 0


def test_how_differently_they_were_measured_is_told(
    strop: Strop, save: Save, capsys: pytest.CaptureFixture[str]
) -> None:
    strop("bench", "compare", save("one"), save("two", lambda report: report["config"].update(slo_ms=50)))
    assert "warning: slo-ms was 100.0, then 50" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "can't be read"),
        ("{}", "is not a report of strop bench"),
        ('{"schema": "strop.bench/1"}', "has no 'host'; bench again"),
        (json.dumps(REPORT | {"accuracy": {"accuracy": 1}}), "are not of one form"),
    ],
)
def test_what_is_no_report_is_one_line(
    strop: Strop, save: Save, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, complaint: str
) -> None:
    other = tmp_path / "other.json"
    other.write_text(text)
    assert strop("bench", "compare", str(other), save("one")) == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("share", ["-1%", "100%", "much", "nan"])
def test_a_share_that_is_none_is_named(
    strop: Strop, save: Save, capsys: pytest.CaptureFixture[str], share: str
) -> None:
    one = save("one")
    assert strop("bench", "gate", "--against", one, one, f"--max-regression={share}") == 2
    assert f"--max-regression is {share}" in capsys.readouterr().err


def test_reports_can_be_named_in_a_toml_file(strop: Strop, save: Save, tmp_path: Path) -> None:
    config = tmp_path / "strop.toml"
    config.write_text(f'[bench]\nslo_ms = 50.0\n[bench.gate]\nagainst = "{save("base")}"\n')
    assert strop("bench", "gate", save("new", slower), "--config", str(config)) == 1
    assert strop("bench", "gate", save("same"), "--config", str(config)) == 0


figures = st.floats(0.001, 1e6)


@given(figures, figures, st.floats(0, 0.9), st.booleans())
def test_worse_one_way_is_better_the_other(one: float, other: float, allowed: float, lower: bool) -> None:
    there = Figure("f", "", one, other, lower_is_better=lower)
    back = Figure("f", "", other, one, lower_is_better=lower)
    assert not (there.worse(allowed) and back.worse(allowed))
    assert not Figure("f", "", one, one, lower_is_better=lower).worse(allowed)
    if one != other:
        assert there.worse(0) != back.worse(0) or abs(one - other) < 1e-11
