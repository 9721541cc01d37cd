"""MLPerf LoadGen as the driver, against a fake server in another process."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from strop.bench.loadgen import read_summary

SUMMARY = """\
SUT name : PySUT
Scenario : SingleStream
90.0th percentile latency (ns) : 10738370
Result is : VALID
  Min duration satisfied : Yes
 * Early stopping 90.0th percentile estimate: 10911984
QPS w/ loadgen overhead         : 93.73
50.00 percentile latency (ns)   : 10611490

No errors encountered during test.
"""


def command(address: str, texts: Path, out: Path, scenario: str, seconds: str) -> list[str]:
    words = [sys.executable, "-m", "strop", "bench", address, "--texts", str(texts), "--out", str(out)]
    return [*words, "--loadgen", scenario, "--seconds", seconds, "--warmup-seconds", "0"]


def test_the_summary_s_lines_are_read_by_name() -> None:
    found = read_summary(SUMMARY)
    assert found["Result is"] == "VALID"
    assert found["Min duration satisfied"] == "Yes"
    assert found["QPS w/ loadgen overhead"] == "93.73"
    assert found["50.00 percentile latency (ns)"] == "10611490"


@pytest.mark.parametrize("scenario", ["single-stream", "server", "offline"])
def test_a_scenario_runs_and_keeps_loadgen_s_logs_beside_our_figures(
    server: Any, texts: Path, tmp_path: Path, scenario: str
) -> None:
    run = command(server.address, texts, tmp_path / "out", scenario, "0.4")
    done = subprocess.run(run, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "not an MLPerf submission" in " ".join(done.stdout.split())
    (folder,) = (tmp_path / "out").iterdir()
    assert folder.name.endswith(f"-loadgen-{scenario}")
    found = read_summary((folder / "mlperf_log_summary.txt").read_text())
    assert found["Scenario"].lower() == scenario.replace("-", "")
    report = (folder / "report.md").read_text(encoding="utf-8")
    rows = dict(line.strip("| ").split(" | ", 1) for line in report.splitlines() if line.startswith("|"))
    verdict, _ = rows["result"].split(" | ")
    assert verdict == found["Result is"]
    theirs, ours = (float(rate) for rate in rows["texts a second"].split(" | "))
    assert ours == pytest.approx(theirs, rel=0.5)
    assert rows["failed calls"] == "– | 0"


def test_calls_that_fail_are_not_passed_off_as_answers(server: Any, tmp_path: Path) -> None:
    texts = tmp_path / "texts.jsonl"
    rows = [{"text": "fail now" if n % 2 else "good film", "arrived": n} for n in range(2)]
    texts.write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = [*command(server.address, texts, tmp_path / "out", "single-stream", "0.4"), "--arrivals", "trace"]
    done = subprocess.run(run, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "these failed: {'RESOURCE_EXHAUSTED':" in " ".join(done.stdout.split())


def test_a_server_that_is_not_there_is_said_in_one_line(texts: Path, tmp_path: Path) -> None:
    run = command("127.0.0.1:1", texts, tmp_path / "out", "server", "1")
    done = subprocess.run(run, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("strop: no gRPC server answers at 127.0.0.1:1")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_an_interrupt_ends_it_at_once_and_leaves_nothing(
    fresh_server: Any, texts: Path, tmp_path: Path
) -> None:
    run = command(fresh_server.address, texts, tmp_path / "out", "single-stream", "600")
    with subprocess.Popen(run, stderr=subprocess.PIPE, text=True) as process:
        assert fresh_server.next_line() == "loaded"
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert error == "strop: interrupted\n"
    assert not (tmp_path / "out").exists()


def test_without_the_package_the_error_says_what_to_install(texts: Path, tmp_path: Path) -> None:
    script = """
import sys
sys.modules["mlperf_loadgen"] = None
from strop.cli import main
sys.exit(main(sys.argv[1:]))
"""
    words = command("127.0.0.1:1", texts, tmp_path, "server", "1")[3:]
    done = subprocess.run(
        [sys.executable, "-c", script, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == "strop: --loadgen needs MLPerf LoadGen; pip install 'strop[loadgen]'\n"
