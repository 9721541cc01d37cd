"""``strop bench-export`` as a user runs it, on a real bundle and its run."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def bench_export(*options: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "strop", "bench-export", *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_every_contender_is_measured_and_a_missed_target_is_told(
    exported_bundle: Path, tiny_run: Path, tmp_path: Path
) -> None:
    options = ("--rounds", 2, "--texts", 8, "--out", tmp_path)
    done = bench_export("--bundles", exported_bundle, "--runs", tiny_run, *options)
    (page,) = tmp_path.glob("*.json")
    report = json.loads(page.read_text())
    rows = {row["name"]: row for row in report["parts"]["mood"]}
    assert {"mood: PyTorch eager, one at a time", "mood: fp32", "mood: int8"} <= rows.keys()
    assert all(len(rows[f"mood: {name}"]["values"]) == 2 for name in ("fp32", "int8"))
    targeted = [row for row in rows.values() if row["target"]]
    assert len(targeted) == 4
    missed = [row["name"] for row in targeted if not row["met"]]
    assert report["missed"] == missed
    assert done.returncode == (1 if missed else 0), done.stderr


def test_a_bundle_of_another_run_is_refused(exported_bundle: Path, tiny_run: Path, tmp_path: Path) -> None:
    other = shutil.copytree(tiny_run, tmp_path / "other")
    record = json.loads((other / "run.json").read_text())
    record["data"]["sha256"] = "0" * 64
    (other / "run.json").write_text(json.dumps(record))
    done = bench_export("--bundles", exported_bundle, "--runs", other, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "was not exported from" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", ["--bundles", "--runs"])
def test_a_bundle_without_a_run_is_refused(option: str, tmp_path: Path) -> None:
    done = bench_export(option, tmp_path, tmp_path)
    assert done.returncode == 2
    assert "name one run for each" in done.stderr
