"""The serving benchmark from outside: real servers on the tiny bundle, for fractions of a second."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

Strop = Callable[..., int]


def report(out: Path) -> tuple[dict[str, object], str]:
    (page,) = out.glob("*.md")
    return json.loads(page.with_suffix(".json").read_text()), page.read_text()


def test_the_soak_loses_no_call_and_finds_nothing_left_behind(
    strop: Strop, tiny_bundle: Path, words: Path, tmp_path: Path
) -> None:
    # The load is 80 % of what the tiny graph does on an idle machine: where another test wants the cores,
    # calls wait to be accepted, and past its bound gRPC would turn them away.
    options = tmp_path / "serve.toml"
    options.write_text("[serve]\naccept_backlog = 100000\n")
    strop(
        *("bench-serve", "--bundle", str(tiny_bundle), "--texts", str(words), "--out", str(tmp_path)),
        *("--parts", "soak", "--seconds", "0.3", "--soak-minutes", "0.03", "--serve-config", str(options)),
    )
    found, page = report(tmp_path)
    rows = {row["name"]: row for row in found["parts"]["soak"]}  # type: ignore[index]
    # The tiny graph sums a batch in another order than a text alone, so not all are bit for bit.
    assert rows["soak: right, bit for bit"]["figure"] > 20
    for name in (
        "lost calls",
        "duplicated answers",
        "calls left in flight",
        "error lines logged",
    ):
        assert rows[f"soak: {name}"]["met"], page


def test_a_part_compares_contenders_in_one_table_and_a_missed_target_is_exit_code_1(
    strop: Strop, tiny_bundle: Path, words: Path, tmp_path: Path
) -> None:
    code = strop(
        *("bench-serve", "--bundle", str(tiny_bundle), "--texts", str(words), "--out", str(tmp_path)),
        *("--parts", "efficiency", "--seconds", "0.2", "--rounds", "2"),
    )
    found, page = report(tmp_path)
    rows = {row["name"]: row for row in found["parts"]["efficiency"]}  # type: ignore[index]
    # A batch of the tiny graph takes no time at all, so gRPC is nearly all there is.
    assert not rows["fp32: one a call / offline"]["met"]
    assert code == 1
    assert len(rows["fp32: over a stream"]["values"]) == 2
    assert all(row["figure"] > 0 for row in rows.values() if row["unit"] == "texts/s")
    assert "| fp32: 16 a call / offline | ≥ 0.95 |" in page
    assert "MISSED" in page


def test_without_the_demo_it_says_to_run_it(
    strop: Strop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert strop("bench-serve") == 2
    assert "--bundle demo/bundle is not there; run make demo first" in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


def test_a_bundle_for_another_task_is_refused(
    strop: Strop, tiny_bundle: Path, words: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    shutil.copytree(tiny_bundle, other)
    manifest = json.loads((other / "manifest.json").read_text())
    (other / "manifest.json").write_text(json.dumps(manifest | {"task": "regression"}))
    assert strop("bench-serve", "--bundle", str(other), "--texts", str(words)) == 2
    assert "is for regression; give one for text-classification of single texts" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--rounds", "0"], "--rounds is 0"),
        (["--seconds", "nan"], "--seconds is nan"),
        (["--parts", "sok"], "sok"),
    ],
)
def test_a_wrong_option_is_named(
    strop: Strop, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert strop("bench-serve", *words) == 2
    assert message in capsys.readouterr().err
