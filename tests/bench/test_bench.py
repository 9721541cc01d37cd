"""``strop bench`` as a user runs it, against a fake server in another process."""

import gzip
import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from strop.bench import histogram

QUICK = {"--seconds": "3", "--warmup-seconds": "0.2", "--in-flight": "2", "--slo-ms": "1000"}


def options(texts: Path, out: Path, *more: str) -> list[str]:
    words = (
        {"--texts": str(texts), "--out": str(out)} | QUICK | dict(zip(more[::2], more[1::2], strict=True))
    )
    return [word for pair in words.items() for word in pair]


@pytest.fixture
def promise(tmp_path: Path) -> Path:
    variant = {"name": "int8", "metrics": {"accuracy": 0.80, "macro_f1": 0.6}}
    manifest = {
        "schema": "strop.bundle/3",
        "task": "text-classification",
        "default_variant": "int8",
        "variants": [variant],
    }
    file = tmp_path / "manifest.json"
    file.write_text(json.dumps(manifest), encoding="utf-8")
    return file


def read(out: Path) -> dict[str, Any]:
    (file,) = out.glob("*.json")
    report: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return report


def test_a_benchmark_prints_its_tables_and_saves_a_report(
    strop: Any, server: Any, texts: Path, promise: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "reports"
    code = strop("bench", server.address, *options(texts, out, "--rate", "150", "--promise", str(promise)))
    printed, complaint = capsys.readouterr()
    assert code == 0, complaint
    report = read(out)
    assert report["schema"] == "strop.bench/3"
    assert (report["server"]["variant"], report["server"]["task"]) == ("int8", "text-classification")
    assert report["sustained_rate"] == pytest.approx(150, rel=0.1)
    closed, opened = report["phases"]
    assert closed["summary"]["percentiles"]["p50"] >= 0.002
    assert opened["stages"]["compute"] == pytest.approx(0.003)
    # A second's calls are too few to be sure of a p99, so there is another second of them.
    assert histogram.count(opened["summary"]["hdr"]) == 300
    assert opened["verdict"] == "undecided"
    # The fake gets three of four texts right; every one of the forty was asked.
    assert report["accuracy"]["metrics"]["accuracy"] == 0.75
    assert report["accuracy"]["texts"] == report["accuracy"]["of"] == 40
    assert re.search(r"accuracy +0\.7500 +0\.8000 +-0\.0500", printed)
    assert "$" in printed
    assert "An assumption, not a measurement" in printed
    (page,) = out.glob("*.md")
    assert page.read_text(encoding="utf-8").startswith("# $")
    assert {path.suffix for path in out.iterdir()} == {".json", ".md", ".html"}


def test_the_open_inference_protocol_is_measured_too(
    strop: Any, server: Any, texts: Path, tmp_path: Path
) -> None:
    more = ("--protocol", "open-inference", "--rate", "300", "--texts-per-call", "2")
    assert strop("bench", server.address, *options(texts, tmp_path, *more)) == 0
    report = read(tmp_path)
    assert report["accuracy"]["metrics"]["accuracy"] == 0.75
    assert [phase["stages"] for phase in report["phases"]] == [None, None]


def test_of_more_texts_than_were_asked_the_score_has_a_margin(
    strop: Any, server: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    many = tmp_path / "many.jsonl"
    rows = [{"sentence": f"good {n}", "class": "good" if n % 4 else "bad"} for n in range(20_000)]
    many.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    more = ("--text-column", "sentence", "--label-column", "class", "--rate", "150", "--seconds", "1")
    assert strop("bench", server.address, *options(many, tmp_path / "out", *more)) == 0
    accuracy = read(tmp_path / "out")["accuracy"]
    assert accuracy["texts"] < accuracy["of"] == 20_000
    assert 0 < accuracy["margins"]["accuracy"] < 0.2
    printed = capsys.readouterr().out
    assert f"{accuracy['metrics']['accuracy']:.4f} ± {accuracy['margins']['accuracy']:.4f}" in printed
    assert "± is half the 95 % interval for all of them" in " ".join(printed.split())


def test_an_slo_that_no_rate_meets_gives_no_cost(
    strop: Any, server: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = tmp_path / "texts.jsonl"
    texts.write_text('{"text": "good film", "label": "of another model"}\n', encoding="utf-8")
    more = ("--slo-ms", "1", "--rate", "300")
    assert strop("bench", server.address, *options(texts, tmp_path / "out", *more)) == 0
    report = read(tmp_path / "out")
    assert report["sustained_rate"] is None
    assert {cost["dollars_per_million"] for cost in report["costs"]} == {None}
    printed = " ".join(capsys.readouterr().out.split())
    assert "No rate tried met p99 ≤ 1 ms" in printed
    assert "warning: no answer was as its text is labelled" in printed


def test_a_trace_of_arrivals_is_replayed(strop: Any, server: Any, tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    # Pairs at one time, each text in its place.
    rows = [{"text": f"{n} film", "label": f"{n}", "arrived": 100 + n // 2} for n in range(40)]
    trace.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    more = ("--arrivals", "trace", "--rate", "150")
    assert strop("bench", server.address, *options(trace, tmp_path / "out", *more)) == 0
    report = read(tmp_path / "out")
    assert report["accuracy"]["metrics"]["accuracy"] == 1
    assert report["phases"][-1]["summary"]["calls"] == 300


def test_a_trace_in_a_file_of_its_own_is_replayed(
    strop: Any, server: Any, texts: Path, tmp_path: Path
) -> None:
    trace = tmp_path / "trace.csv.gz"
    times = "".join(f"{n // 3},{n}\n" for n in range(1000))
    trace.write_bytes(gzip.compress(f"arrival_s,tokens\n{times}".encode()))
    more = ("--arrivals", "trace", "--trace", str(trace), "--rate", "300")
    assert strop("bench", server.address, *options(texts, tmp_path / "out", *more)) == 0
    report = read(tmp_path / "out")
    assert report["phases"][-1]["summary"]["calls"] in (300, 600)
    assert report["accuracy"]["metrics"]["accuracy"] == 0.75


def test_a_ramp_reports_every_step_and_a_soak_what_drifted(
    strop: Any, server: Any, texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = options(texts, tmp_path, "--soak-seconds", "2", "--repeats", "2", "--arrivals", "burst")
    words += ["--ramp", "100", "300", "3", "--server-pid", str(os.getpid())]
    assert strop("bench", server.address, *words) == 0
    report = read(tmp_path)
    assert [phase["offered"] for phase in report["phases"][1:4]] == [100, 200, 300]
    assert len(report["repeats"]["p50"]["values"]) == 2
    soak = report["soak"]
    assert soak["offered"] == pytest.approx(0.8 * report["phases"][4]["offered"])
    assert histogram.count(soak["hdr"]) == sum(one["summary"]["answered"] for one in soak["slices"])
    assert len(soak["memory"]) == len(soak["slices"]) == 20
    printed = capsys.readouterr().out
    assert "Soak: " in printed
    assert "2 repeats of the sustained rate" in printed


def test_two_servers_take_turns_and_their_ratio_has_an_interval(
    strop: Any,
    server: Any,
    fresh_server: Any,
    texts: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    more = ("--against", fresh_server.address, "--rounds", "3", "--rate", "200")
    assert strop("bench", server.address, *options(texts, tmp_path, *more)) == 0
    report = read(tmp_path)
    assert report["schema"] == "strop.bench-ab/1"
    assert {len(side["figures"]["rate"]) for side in report["contenders"].values()} == {3}
    rate = report["ratios"]["rate"]
    assert rate["interval"][0] <= rate["ratio"] <= rate["interval"][1]
    assert {side["accuracy"]["metrics"]["accuracy"] for side in report["contenders"].values()} == {0.75}
    assert "times as many texts as B" in " ".join(capsys.readouterr().out.split())


def test_several_client_processes_share_the_load(
    strop: Any, server: Any, texts: Path, tmp_path: Path
) -> None:
    assert strop("bench", server.address, *options(texts, tmp_path, "--clients", "2", "--rate", "300")) == 0
    report = read(tmp_path)
    assert report["clients"] == 2
    assert report["phases"][-1]["summary"]["calls"] in (300, 600)
    assert report["accuracy"]["texts"] == 40


def test_a_trace_needs_arrivals(
    strop: Any, server: Any, texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert strop("bench", server.address, *options(texts, tmp_path, "--arrivals", "trace")) == 2
    assert 'has no "arrived"; give each line one, or --trace' in capsys.readouterr().err


def test_options_can_stand_in_a_toml_file(strop: Any, server: Any, texts: Path, tmp_path: Path) -> None:
    prices = tmp_path / "mine.toml"
    prices.write_text(
        '[[machine]]\nname = "mine"\ntitle = "Mine"\nhardware = "this"\nsource = "me"\n'
        "dollars_per_hour = 0.36\nseen = 2026-11-01\n",
        encoding="utf-8",
    )
    config = tmp_path / "strop.toml"
    config.write_text(
        f'[bench]\nmachines = ["mine"]\nprices = "{prices}"\nrate = 150.0\nutilisation = 0.5\n',
        encoding="utf-8",
    )
    assert strop("bench", server.address, *options(texts, tmp_path / "out", "--config", str(config))) == 0
    report = read(tmp_path / "out")
    (cost,) = report["costs"]
    by_hand = 1e6 * 0.36 / 3600 / (report["sustained_rate"] * 0.5)
    assert cost["dollars_per_million"] == pytest.approx(by_hand)


@pytest.mark.parametrize(
    ("option", "code", "complaint"),
    [
        (("--machines", "hf-l5"), 2, "did you mean hf-l4?"),
        (("--seconds", "0"), 2, "--seconds is 0.0"),
        (("--model", "nope"), 2, "no model 'nope'"),
        (("--task", "regression"), 2, "--task regression: 'fake' is for text-classification"),
        (("--pair-column", "text"), 2, "--pair-column text: the model takes one text; leave it out"),
        (("--label-column", "class"), 2, "--label-column class: no line of "),
        (("--text-column", "sentence"), 2, "line 1 has no 'sentence'; it has: text, label"),
        (("--promise", "nowhere"), 2, "--promise nowhere can't be read"),
        (("--texts", "nowhere.jsonl"), 2, "--texts nowhere.jsonl can't be read"),
        (("--second", "3"), 2, "--seconds"),
    ],
)
def test_bad_input_is_one_line_and_leaves_no_report(
    strop: Any,
    server: Any,
    texts: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    option: tuple[str, str],
    code: int,
    complaint: str,
) -> None:
    arguments = {"--texts": str(texts)} | {option[0]: option[1]}
    flags = [word for pair in arguments.items() for word in pair]
    assert strop("bench", server.address, "--out", str(tmp_path / "out"), *flags) == code
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_bundle_that_the_server_does_not_run_is_refused_before_the_load(
    strop: Any, server: Any, texts: Path, promise: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    promise.write_text(promise.read_text(encoding="utf-8").replace("int8", "fp16"), encoding="utf-8")
    assert strop("bench", server.address, *options(texts, tmp_path / "out", "--promise", str(promise))) == 2
    assert "the server runs int8, it has fp16" in capsys.readouterr().err


def test_a_server_that_is_not_there_is_said_at_once(
    strop: Any, texts: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        assert strop("bench", address, *options(texts, tmp_path)) == 1
    assert f"no gRPC server answers at {address}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wrong", "more"),
    [
        ("--texts", ()),
        ("--promise", ()),
        ("--prices", ()),
        ("--trace", ("--arrivals", "trace")),
        ("--texts", ("--against", "127.0.0.1:1")),
        ("--texts", ("--loadgen", "offline")),
    ],
)
def test_files_are_looked_at_before_the_server(
    strop: Any,
    texts: Path,
    tmp_path: Path,
    wrong: str,
    more: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
) -> None:
    missing = tmp_path / "missing"
    # Nobody listens on that port.
    words = options(texts, tmp_path / "out", wrong, str(missing), *more)
    assert strop("bench", "127.0.0.1:1", *words) == 2
    assert f"{missing} can't be read: No such file" in capsys.readouterr().err


def test_a_server_that_refuses_everything_is_an_error(
    strop: Any, server: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = tmp_path / "fail.jsonl"
    texts.write_text('{"text": "fail now"}\n', encoding="utf-8")
    assert strop("bench", server.address, *options(texts, tmp_path / "out")) == 1
    assert "the queue is full (RESOURCE_EXHAUSTED)" in capsys.readouterr().err


def test_a_server_that_goes_away_is_an_error_and_not_a_report(
    fresh_server: Any, texts: Path, tmp_path: Path
) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "strop", "bench", fresh_server.address, *options(texts, tmp_path / "out")],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert fresh_server.next_line() == "loaded"
        fresh_server.process.kill()
        _, error = process.communicate(timeout=30)
    assert process.returncode == 1
    assert error.startswith("strop: the server went away")
    assert not (tmp_path / "out").exists()


def test_an_interrupt_ends_it_without_a_report(fresh_server: Any, texts: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "strop", "bench", fresh_server.address, "--texts", str(texts)]
    with subprocess.Popen([*command, "--out", str(out)], stderr=subprocess.PIPE, text=True) as process:
        assert fresh_server.next_line() == "loaded"
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in error
    assert not out.exists()
