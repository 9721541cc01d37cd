"""The comparison of settings by clean and misspelt texts."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from strop.bench.robustness import RobustnessConfig, Trial, compare, spread
from strop.errors import InputError


def test_a_change_is_taken_seed_by_seed() -> None:
    plain = [Trial(0.8, 0.6, 10, ""), Trial(0.9, 0.7, 20, "")]
    better = [Trial(0.81, 0.7, 30, ""), Trial(0.91, 0.8, 30, "")]
    grid = compare({"plain": plain, "typos": better}, "accuracy", 0.1)
    assert grid.title == "accuracy, clean and with 10% of the words misspelt"
    assert grid.rows[0] == ("plain", "0.8500 ± 0.0707", "–", "0.6500 ± 0.0707", "–", "15")
    assert grid.rows[1] == (
        *("typos", "0.8600 ± 0.0707", "+0.0100 ± 0.0000", "0.7500 ± 0.0707", "+0.1000 ± 0.0000"),
        "30",
    )
    assert spread([0.5]) == "0.5000"


def test_a_setting_is_trained_once(tmp_path: Path, tiny_data: Path, tiny_encoder: Path) -> None:
    options = tmp_path / "train.toml"
    options.write_text("[train]\nepochs = 1\nbatch_size = 16\nmax_tokens = 32\nthreads = 1\n")
    command = [
        *(sys.executable, "-m", "strop.bench.robustness", tiny_data, "--model", tiny_encoder),
        *("--settings", "typos", "--seeds", "1", "--train-config", options),
        *("--runs", tmp_path / "runs", "--out", tmp_path / "out", "--typos", "0.5"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, env=os.environ)
    assert done.returncode == 0, done.stderr
    (page,) = (tmp_path / "out").glob("*-robustness.md")
    facts = json.loads(page.with_suffix(".json").read_text())
    assert [*facts["trials"]] == ["typos"]
    runs = {path.name: path.stat().st_mtime for path in (tmp_path / "runs").glob("*/run.json")}
    record = json.loads((tmp_path / "runs" / "typos-seed-0" / "run.json").read_text())
    assert (record["config"]["epochs"], record["config"]["test_typos"]) == (1, 0.5)
    assert "| typos |" in page.read_text()
    assert "report:" in subprocess.run(command, capture_output=True, text=True, timeout=200).stdout
    assert runs == {path.name: path.stat().st_mtime for path in (tmp_path / "runs").glob("*/run.json")}


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(InputError, match="--settings luck is not known; give some of plain, fgm"):
        RobustnessConfig(Path("data"), model="m", settings=("plain", "luck"))
    with pytest.raises(InputError, match="name each setting once"):
        RobustnessConfig(Path("data"), model="m", settings=("plain", "plain"))
