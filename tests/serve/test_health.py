"""Who asks after a server's health from outside: by ``strop health``, and as systemd is told."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from strop.cli import main
from strop.serve.process.notify import notify

Start = Callable[..., Any]


def test_a_server_that_takes_calls_is_serving(server: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["health", server.address]) == 0
    assert capsys.readouterr().out == "SERVING\n"
    assert main(["health", server.address, "--service", "strop.v1.Strop"]) == 0


def test_a_service_that_is_not_there_is_named_as_not_found(
    server: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["health", server.address, "--service", "nobody.Knows"]) == 1
    assert "NOT_FOUND" in capsys.readouterr().err


def test_where_nobody_listens_there_is_no_health(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = "{}:{}".format(*closed.getsockname())
    assert main(["health", address]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert f"no gRPC server answers at {address}" in line


@pytest.mark.parametrize(
    "arguments", [["nowhere"], ["127.0.0.1:8001", "--timeout-seconds", "0"], [":8001"]], ids=str
)
def test_a_question_that_cannot_be_asked_is_bad_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["health", *arguments]) == 2
    assert arguments[-1] in capsys.readouterr().err


def test_a_draining_server_is_not_serving_and_systemd_was_told_when_it_was_ready(
    start_server: Start,
    tiny_bundle: Path,
    tmp_path: Path,
    until: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        server = start_server(tiny_bundle, "--notice-seconds", "60")
        assert manager.recv(64) == b"READY=1"
    server.signal()
    until(lambda: main(["health", server.address]) == 1)
    assert "NOT_SERVING" in capsys.readouterr().err


def test_systemd_is_told_in_the_abstract_namespace_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{tmp_path}")
        manager.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", f"@{tmp_path}")
        notify("READY=1")
        assert manager.recv(64) == b"READY=1"


def test_a_service_manager_that_is_gone_keeps_no_server_from_serving(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    notify("READY=1")
