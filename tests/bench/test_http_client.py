"""The HTTP client and ``strop bench --endpoint`` against a real server in another process."""

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from strop.bench.endpoint import Endpoint, JsonWire
from strop.bench.http_client import HttpClient
from strop.errors import InputError, StropError

SCRIPT = Path(__file__).with_name("http_server.py")
ENDPOINT = """
path = "/classify"
request = { texts = "$texts" }
label = ["$n", "label"]
score = ["$n", "score"]
model = "mine"
"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Where a classifier answers HTTP."""
    with subprocess.Popen([sys.executable, str(SCRIPT)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield f"127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.kill()


@pytest.fixture
def endpoint(tmp_path: Path) -> Path:
    file = tmp_path / "mine.toml"
    file.write_text(ENDPOINT, encoding="utf-8")
    return file


def test_calls_are_answered_over_connections_that_are_kept(address: str) -> None:
    async def ask() -> list[dict[str, Any]]:
        async with HttpClient(f"http://{address}/") as client:
            replies = [await client.call("/classify", b'{"texts": ["good film"]}') for _ in range(4)]
        return [json.loads(reply.reply)[0] for reply in replies]

    answers = asyncio.run(ask())
    assert [answer["label"] for answer in answers] == ["good"] * 4
    assert len({answer["connection"] for answer in answers}) == 1


def test_a_failure_is_told_by_its_status_and_what_the_server_said(address: str) -> None:
    async def outcomes() -> list[tuple[str, str]]:
        async with HttpClient(address, deadline=0.2) as client:
            found = [
                await client.call(path, json.dumps({"texts": [text]}).encode())
                for path, text in (("/classify", "fail"), ("/classify", "hang"), ("/nowhere", "good"))
            ]
        return [(one.status, one.detail) for one in found]

    refused, late, lost = asyncio.run(outcomes())
    assert refused == ("HTTP 503", "the queue is full")
    assert late == ("DEADLINE_EXCEEDED", "no reply in time")
    assert lost[0] == "HTTP 404"


def test_a_request_that_the_server_calls_wrong_is_bad_input(address: str, endpoint: Path) -> None:
    async def ask() -> None:
        async with HttpClient(address) as client:
            await client.ask(JsonWire(Endpoint.read(endpoint)), [("wrong",)])

    with pytest.raises(InputError, match=r"refuses: no such text \(HTTP 422\)"):
        asyncio.run(ask())


def test_a_server_that_is_not_there_is_said_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"

    async def connect() -> None:
        async with HttpClient(address):
            pass

    with pytest.raises(StropError, match=f"no HTTP server answers at {address}"):
        asyncio.run(connect())


def test_a_declared_endpoint_is_measured_like_any_server(
    strop: Any, address: str, endpoint: Path, texts: Path, tmp_path: Path
) -> None:
    code = strop(
        *("bench", address, "--endpoint", str(endpoint), "--texts", str(texts)),
        *("--out", str(tmp_path / "out")),
        *("--seconds", "3", "--warmup-seconds", "0.2", "--in-flight", "8", "--slo-ms", "1000"),
        *("--rate", "300", "--texts-per-call", "2"),
    )
    assert code == 0
    (file,) = (tmp_path / "out").glob("*.json")
    report = json.loads(file.read_text(encoding="utf-8"))
    assert report["server"]["model"] == "mine"
    assert report["sustained_rate"] == pytest.approx(300, rel=0.1)
    assert report["phases"][-1]["summary"]["percentiles"]["p50"] >= 0.002
    assert report["accuracy"]["metrics"]["accuracy"] == 0.75
    assert "http-json API · model mine" in file.with_suffix(".md").read_text(encoding="utf-8")


def test_options_of_grpc_servers_are_refused_beside_an_endpoint(
    strop: Any, endpoint: Path, texts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("bench", "127.0.0.1:1", "--endpoint", str(endpoint), "--texts", str(texts))
    assert strop(*words, "--model", "mine") == 2
    assert "--model is for gRPC servers; with --endpoint leave it out" in capsys.readouterr().err
