"""``strop doctor`` on this box, whatever it is."""

import json
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest

from strop.cli import main


def doctor(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, list[dict[str, str]]]:
    code = main(["doctor", "--json", *options])
    return code, json.loads(capsys.readouterr().out)


def test_a_box_with_a_bundle_and_a_server_is_looked_at_as_it_is(
    server: Any, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ("--address", server.address, "--metrics-address", server.metrics_address)
    _, findings = doctor(capsys, "--bundle", str(tiny_bundle), *where)
    found = {(one["part"], one["level"]): one["found"] for one in findings}
    assert "fp32 answers here" in found["bundle", "ok"]
    assert "SERVING" in found["--address", "ok"]
    assert "metrics" in found["--metrics-address", "ok"]
    assert {"processor", "cores", "memory", "packages", "open files", "GPU"} <= {part for part, _ in found}


def test_of_a_repository_every_model_is_looked_at(
    tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for place in ("films/2", "tweets/1"):
        shutil.copytree(tiny_bundle, tmp_path / place)
    (tmp_path / "films" / "1").mkdir()
    (tmp_path / "films" / "1" / "manifest.json").write_text("older, and never served unasked")
    (tmp_path / "tweets" / "1" / "tokenizer.json").unlink()
    code, findings = doctor(capsys, "--bundle", str(tmp_path), "--address", "127.0.0.1:0")
    found = {(one["part"], one["level"]) for one in findings if one["part"].startswith("bundle")}
    assert code == 1
    assert ("bundle films 2", "ok") in found
    assert ("bundle tweets 1", "fail") in found
    assert not [part for part, _ in found if part.endswith("films 1")]


def test_what_keeps_a_server_from_starting_ends_with_1_and_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        address = "{}:{}".format(*busy.getsockname())
        free = ("--address", "127.0.0.1:0")
        assert main(["doctor", "--bundle", str(tmp_path), *free, "--metrics-address", address]) == 1
    told = capsys.readouterr()
    assert "is not a bundle" in told.out
    assert "→ run strop export" in told.out
    assert "isn't fit to serve: bundle, --metrics-address" in told.err


def test_an_address_that_is_none_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--address", "8001"]) == 2
    assert "--address" in capsys.readouterr().err
