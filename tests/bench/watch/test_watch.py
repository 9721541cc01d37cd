"""``strop watch`` as a user runs it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CALM = ["good bank", "good bank", "good bank", "bad bank"] * 50
STORM = ["bad bank"] * 30


def rows(path: Path) -> list[dict[str, Any]]:
    return (
        [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        if path.exists()
        else []
    )


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_surge_is_told_in_the_output_and_by_the_exit_code(
    strop: Any, server: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    news, out = tmp_path / "news.jsonl", tmp_path / "out.jsonl"
    lines = [json.dumps({"title": text, "published": str(n)}) for n, text in enumerate(CALM + STORM)]
    news.write_text("\n".join(["{broken", *lines]))
    models = ["--models", f"mood={server.address}", f"again={server.address}/fake"]
    words = ["watch", str(news), *models, "--bad", "mood=bad", "--out", str(out)]
    assert strop(*words, "--by", "again") == 0  # each label a stream of its own, which never changes
    out.unlink()
    capsys.readouterr()
    assert strop(*words) == 3
    found = rows(out)
    (alert,) = [row for row in found if "alert" in row]
    assert len(found) == len(lines) + 1
    assert (alert["alert"], alert["stream"], alert["bad"]) == ("surge", "all", "mood=bad")
    assert len(CALM) < alert["texts"] <= len(CALM) + len(STORM)
    assert alert["published"] == str(alert["texts"] - 1)
    assert found[0] == {
        "text": "good bank",
        "published": "0",
        "mood": {"label": "good", "score": 0.75},
        "again": {"label": "good", "score": 0.75},
    }
    told = capsys.readouterr().err
    assert "left out the line that ends at byte 8: it is not JSON" in told
    assert "strop watch: surge: mood=bad has surged in all" in told
    assert told.endswith("strop: 1 alert: mood=bad surged\n")


def test_it_outlives_its_server_and_goes_on_where_it_was_interrupted(
    run_server: Any, tmp_path: Path
) -> None:
    news, out, state = (tmp_path / name for name in ("news", "out.jsonl", "state.json"))
    news.write_text("good 1\ngood 2\n")

    def begin() -> "subprocess.Popen[str]":
        words = [str(news), "--models", f"mood={address}", "--bad", "mood=bad", "--follow"]
        words += ["--out", str(out), "--state", str(state)]
        command = [sys.executable, "-m", "strop", "watch", *words]
        return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)

    with run_server(0.0) as server:
        address = server.address
        first = begin()
        until(lambda: len(rows(out)) == 2)
    with news.open("a") as file:
        file.write("good 3\n")
    assert first.stderr
    assert "asking again" in first.stderr.readline()
    with run_server(0.0, int(address.rpartition(":")[2])):
        until(lambda: len(rows(out)) == 3)
        until(lambda: json.loads(state.read_text())["out_bytes"] == out.stat().st_size)
        first.send_signal(signal.SIGINT)
        assert first.wait(60) == 130
        first.stderr.close()
        with news.open("a") as file:
            file.write("good 4\n")
        with out.open("a") as file:
            file.write('{"text": "written by a watch that was cut off before it kept its st')
        second = begin()
        until(lambda: state.exists() and json.loads(state.read_text())["watches"]["all"]["texts"] == 4)
        second.send_signal(signal.SIGTERM)
        assert second.wait(60) == 143
        assert second.stderr
        second.stderr.close()
    assert [row["text"] for row in rows(out)] == ["good 1", "good 2", "good 3", "good 4"]


def test_the_standard_input_can_be_watched(server: Any) -> None:
    words = ["watch", "--models", f"mood={server.address}", "--bad", "mood=bad"]
    done = subprocess.run(
        [sys.executable, "-m", "strop", *words],
        input="good one\n\nbad two",
        capture_output=True,
        text=True,
        check=True,
        env=os.environ,
    )
    assert [json.loads(line)["mood"]["label"] for line in done.stdout.splitlines()] == ["good", "bad"]


@pytest.mark.parametrize(
    ("models", "words", "code", "complaint"),
    [
        ("mood", "", 2, "--models 'mood': write it like sentiment=127.0.0.1:8001"),
        ("text=127.0.0.1:1", "", 2, "write it like"),
        ("a=127.0.0.1:1 a=127.0.0.1:2", "", 2, "names one twice: a, a"),
        ("a=127.0.0.1:1", "--bad b=bad", 2, "--bad b is none of --models, a"),
        ("a=127.0.0.1:1", "--bad bad", 2, "--bad is 'bad'; write it like sentiment=negative"),
        ("a=127.0.0.1:1", "--bad a=bad --by c", 2, "--by c is none of --models"),
        ("a=127.0.0.1:1", "--bad a=bad --surge 1", 2, "--surge is 1.0; it must be above 1"),
        ("a=127.0.0.1:1", "--bad a=bad", 1, "no gRPC server answers at 127.0.0.1:1"),
        ("a=127.0.0.1:1", f"--bad a=bad --out {__file__}", 2, "is there already"),
        ("a=127.0.0.1:1", f"--bad a=bad --state {__file__}", 2, "can't be read"),
    ],
)
def test_what_is_wrong_is_one_line(
    strop: Any, models: str, words: str, code: int, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert strop("watch", __file__, "--models", *models.split(), *words.split()) == code
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1
