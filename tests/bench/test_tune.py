"""``strop tune`` as a user runs it: real servers on a tiny bundle, and the file that they read."""

import json
import signal
import subprocess
import sys
import time
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from strop.bench.search import Phase
from strop.bench.server_process import ServerProcess
from strop.bench.statistics import Summary
from strop.bench.texts import Texts
from strop.bench.tune.config import TuneConfig
from strop.bench.tune.search import Candidate, Result
from strop.bench.tune.settings import DEFAULTS, Setting
from strop.bench.tune.tuned import Tuned, write
from strop.host import read_host

ON_ONE_CORE = """
import os, sys
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from strop.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """A trace in which the texts come in pairs."""
    path = tmp_path / "sample.jsonl"
    rows = [{"text": " ".join(["good film"] * (1 + n % 5)), "arrived": n // 2} for n in range(20)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def tune_command(bundle: Path, sample: Path, out: Path, *more: str) -> list[str]:
    """On one core, so that there are few settings to try."""
    words = [sys.executable, "-c", ON_ONE_CORE, "tune", str(bundle), "--texts", str(sample)]
    return [*words, "--out", str(out), "--slo-ms", "5000", "--minutes", "0.05", *more]


def servers_of(process: "subprocess.Popen[Any]") -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def measured(setting: Setting, rate: float) -> Candidate:
    percentiles = {"p50": 0.01, "p99": 0.02}
    summary = Summary(100, 100, {}, 1.0, rate, rate, percentiles, {}, 0.03, 0.0, 0.1, "")
    return Candidate(setting, closed=rate, rounds=[Phase("open", None, rate, summary, None)] * 3)


def tuned(config: TuneConfig, setting: Setting, rate: float) -> Tuned:
    """What a search found whose defaults sustain 100 texts a second."""
    best, created = measured(setting, rate), datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    result = Result(measured(DEFAULTS, 100.0), [best], best)
    return Tuned(
        created, read_host(), config, Texts((("a",),), (None,)), "5ba1", "tiny 3, variant fp32", result
    )


def test_tuning_ends_with_a_table_and_a_file_that_serve_reads(
    tiny_bundle: Path, sample: Path, tmp_path: Path
) -> None:
    out = tmp_path / "tuned.toml"
    command = tune_command(tiny_bundle, sample, out, "--batch-tokens", "64")
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    printed = " ".join(done.stdout.split())
    won = "Tuned:" in printed
    assert won != ("Not tuned: the defaults sustain" in printed)
    content = out.read_text(encoding="utf-8")
    comments = "".join(line for line in content.splitlines() if line.startswith("#"))
    for word in (
        "p99 <= 5000 ms, the gaps of its trace",
        "20 of sample.jsonl, sha256 ",
        "tiny 3, variant fp32",
    ):
        assert word in comments
    serve = tomllib.loads(content)["serve"]
    assert set(serve) == ({"instances", "threads", "batch_tokens", "queue_texts"} if won else set())
    with ServerProcess(tiny_bundle, "--config", out) as server:
        assert server.address


def test_a_winner_s_options_are_what_serve_runs(
    tiny_bundle: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "tuned.toml"
    config = TuneConfig(tiny_bundle, texts=Path("sample.jsonl"), variant="fp32", out=out)
    write(tuned(config, Setting(3, 1, 96, 57), 150.0), out)
    content = out.read_text(encoding="utf-8")
    assert (
        "# Tuned: --instances 3 --threads 1 --batch-tokens 96 --queue-texts 57 sustains 150.0 texts/s"
        in content
    )
    assert "# load: p99 <= 100 ms, Poisson arrivals, one text a call" in content
    assert "+50.0% on the defaults' 100.0" in content
    with ServerProcess(tiny_bundle, "--config", out, show=True):
        pass
    printed = " ".join(capfd.readouterr().out.split())
    assert "variant fp32" in printed
    assert "at most 96 tokens" in printed


def test_the_defaults_are_written_as_an_empty_table_that_says_so(tiny_bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "tuned.toml"
    write(tuned(TuneConfig(tiny_bundle, texts=Path("sample.jsonl")), Setting(3, 1, 96, 57), 101.0), out)
    content = out.read_text(encoding="utf-8")
    assert "# Not tuned: the defaults sustain 100.0 texts/s" in content
    assert tomllib.loads(content) == {"serve": {}}
    with ServerProcess(tiny_bundle, "--config", out) as server:
        assert server.address


def test_an_interrupt_leaves_no_server_and_no_file(tiny_bundle: Path, sample: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "tuned.toml"
    out.parent.mkdir()
    command = tune_command(tiny_bundle, sample, out)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not (servers := servers_of(process)):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert error == "strop: interrupted\n"
    assert not any(server.is_running() for server in servers)
    assert list(out.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"--texts": "nowhere.jsonl"}, "--texts nowhere.jsonl can't be read"),
        ({"--texts": "empty.jsonl"}, "--texts empty.jsonl is empty"),
        ({"--out": "sample.jsonl"}, "--out sample.jsonl exists; name another file or remove it"),
        ({"--out": "nowhere/tuned.toml"}, "nowhere is not a folder you may write in"),
        ({"--slo-ms": "0"}, "--slo-ms is 0.0"),
        ({"--minutes": "nan"}, "--minutes is nan"),
        ({"--batch-tokens": "0"}, "--batch-tokens is (0,)"),
        ({"--seed": "-1"}, "--seed is -1"),
        ({"--variant": "int4"}, "variant 'int4' is not in"),
        ({"--slo-ms": "0.01", "--minutes": "0.05"}, "no setting meets --slo-ms 0.01: a lone call takes"),
    ],
)
def test_bad_input_is_one_line_before_the_search(
    strop: Any,
    tiny_bundle: Path,
    sample: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: dict[str, str],
    complaint: str,
) -> None:
    monkeypatch.chdir(sample.parent)
    Path("empty.jsonl").touch()
    words = {"--texts": "sample.jsonl"} | options
    assert strop("tune", str(tiny_bundle), *(word for pair in words.items() for word in pair)) == 2
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1
    assert not Path("tuned.toml").exists()


def test_a_missing_bundle_is_said_by_the_server_that_could_not_start(
    strop: Any, sample: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "tuned.toml")
    assert strop("tune", str(tmp_path / "none"), "--texts", str(sample), "--out", out) == 2
    assert "none is not a bundle: manifest.json is missing" in capsys.readouterr().err
