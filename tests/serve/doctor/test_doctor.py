"""``strop doctor`` on this box, whatever it is."""

import json
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
