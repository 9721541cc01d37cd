"""A server process from start to end, and what must not start."""

import json
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from strop.export.bundle import GoldenExample
from strop.export.bundle.golden import read_golden, write_golden
from strop.proto import open_inference_pb2 as oip
from strop.proto import open_inference_pb2_grpc as oip_grpc
from strop.proto import strop_pb2 as typed
from strop.proto import strop_pb2_grpc as typed_grpc
from strop.serve.address import join, split

Until = Callable[[Callable[[], Any]], Any]
Refuse = Callable[..., "CompletedProcess[str]"]
Alter = Callable[[Callable[[Path], None]], Path]

REQUEST = typed.ClassifyRequest(texts=["good film"])
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture
def taken_port() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def arrived(server: Any) -> float:
    """Calls to Classify that reached the server, answered or not."""
    return float(
        sum(
            value
            for (name, _), value in server.metrics().items()
            if name in ("strop_in_flight_requests", "strop_request_seconds_count")
        )
    )


def test_a_drain_reports_not_serving_first_and_loses_no_call_under_way(
    start_server: Callable[..., Any], slow_bundle: Path, until: Until
) -> None:
    server = start_server(slow_bundle, "--batch-tokens", "8")
    with grpc.insecure_channel(server.address) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        next(watch)
        strop = typed_grpc.StropStub(channel)
        calls = [strop.Classify.future(REQUEST) for _ in range(32)]
        until(lambda: arrived(server) == 32)
        server.signal()
        assert next(watch).status == NOT_SERVING
        assert not all(call.done() for call in calls)
        assert {call.result(timeout=60).results[0].tokens for call in calls} == {4}
        with pytest.raises(grpc.RpcError) as caught:
            strop.Classify(REQUEST)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
        watch.cancel()
    assert server.exit_code() == 0


def test_calls_are_answered_during_the_notice_and_a_second_signal_forces(
    start_server: Callable[..., Any], tiny_bundle: Path, until: Until
) -> None:
    server = start_server(tiny_bundle, "--notice-seconds", "600")
    with grpc.insecure_channel(server.address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        server.signal()
        until(lambda: health.Check(health_pb2.HealthCheckRequest()).status == NOT_SERVING)
        ready = oip_grpc.GRPCInferenceServiceStub(channel).ServerReady(oip.ServerReadyRequest())
        assert not ready.ready
        assert typed_grpc.StropStub(channel).Classify(REQUEST).results
        server.signal()
        assert server.exit_code() == 1
    assert server.errors.read_text().splitlines()[-1] == "strop: stopped by a second signal"


def test_calls_that_outlast_the_grace_are_cancelled_and_the_exit_code_says_so(
    start_server: Callable[..., Any], slow_bundle: Path, until: Until
) -> None:
    server = start_server(slow_bundle, "--batch-tokens", "8", "--grace-seconds", "0.01")
    with grpc.insecure_channel(server.address) as channel:
        strop = typed_grpc.StropStub(channel)
        calls = [strop.Classify.future(REQUEST) for _ in range(200)]
        until(lambda: server.metric("strop_in_flight_requests") >= 100)
        server.signal()
        assert server.exit_code() == 1, server.errors.read_text()
        assert any(call.exception() is not None for call in calls)
    assert "calls were cancelled after 0.01 s of grace" in server.errors.read_text()


@pytest.mark.parametrize("address", ["127.0.0.1:8001", "localhost:0", "[::1]:65535"])
def test_an_address_is_put_together_as_it_was_taken_apart(address: str) -> None:
    assert join(*split(address)) == address


@pytest.mark.parametrize("flag", ["--address", "--metrics-address"])
def test_a_port_in_use_is_named_in_one_line(
    refuse_to_start: Refuse, tiny_bundle: Path, taken_port: str, flag: str
) -> None:
    ended = refuse_to_start(tiny_bundle, flag, taken_port)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr == (
        f"strop: {flag} {taken_port}: address already in use;"
        " stop what listens there or choose another port\n"
    )


def test_two_servers_never_share_a_port(refuse_to_start: Refuse, server: Any, tiny_bundle: Path) -> None:
    assert refuse_to_start(tiny_bundle, "--address", server.address).returncode == 2


def test_a_changed_byte_in_the_bundle_is_named(
    refuse_to_start: Refuse, tiny_bundle: Path, tmp_path: Path
) -> None:
    root = tmp_path / "changed"
    shutil.copytree(tiny_bundle, root)
    graph = root / "variants/fp32/model.onnx"
    content = bytearray(graph.read_bytes())
    content[len(content) // 2] ^= 1
    graph.write_bytes(content)
    ended = refuse_to_start(root)
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert f"{graph} is not the file that was exported" in ended.stderr


def test_golden_answers_out_of_tolerance_keep_the_server_from_starting(
    refuse_to_start: Refuse, altered_bundle: Alter
) -> None:
    def shift(root: Path) -> None:
        first, *rest = read_golden(root / "golden.jsonl")
        moved = GoldenExample(first.text, first.output + np.float32([0, 0.25, -0.25]))
        write_golden(root / "golden.jsonl", [moved, *rest])

    ended = refuse_to_start(altered_bundle(shift))
    assert ended.returncode == 1
    assert ended.stderr == (
        "strop: variant 'fp32' on CPUExecutionProvider is off by 0.25 on golden example 1 of 5, and"
        " its tolerance is 1e-05; serve another variant, or export on this machine\n"
    )


def test_a_bundle_without_golden_examples_is_not_trusted(
    refuse_to_start: Refuse, altered_bundle: Alter
) -> None:
    ended = refuse_to_start(altered_bundle(lambda root: write_golden(root / "golden.jsonl", [])))
    assert ended.returncode == 1
    assert "has no golden examples" in ended.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--variant", "int4"], "variant 'int4' is not in"),
        (["--threads", "0"], "--threads is 0; it must be at least 1"),
        (["--grace-seconds", "-1"], "--grace-seconds is -1.0; it must be at least 0"),
        (
            ["--queue-tokens", "100", "--batch-tokens", "64"],
            "--queue-tokens is 100; it must be at least twice --batch-tokens",
        ),
        (["--workers", "100000"], "--workers is 100000; "),
        (["--workers", "0"], "--workers is 0; it must be at least 1"),
        (["--otlp-endpoint", "localhost:4317"], "--otlp-endpoint is 'localhost:4317'; write it like"),
        (["--address", "localhost"], "--address: 'localhost' is not host:port"),
        (["--address", "127.0.0.1:99999"], "--address: '127.0.0.1:99999' is not host:port"),
        (
            ["--address", "127.0.0.1:8001", "--metrics-address", "127.0.0.1:8001"],
            "--metrics-address 127.0.0.1:8001 is where --address listens, too; give each",
        ),
        (["--address", "203.0.113.1:8001", "--insecure-listen"], "give an address of this machine"),
        (
            ["--keys", "none.toml"],
            "none.toml can't be read: No such file or directory; mend it, or let strop keys new",
        ),
    ],
)
def test_a_bad_option_is_named_in_one_line(
    refuse_to_start: Refuse, tiny_bundle: Path, options: list[str], message: str
) -> None:
    ended = refuse_to_start(tiny_bundle, *options)
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert message in ended.stderr


def test_a_ready_server_says_what_it_serves_and_where(
    start_server: Callable[..., Any], tiny_bundle: Path
) -> None:
    server = start_server(tiny_bundle, "--instances", "3")
    said = server.output.read_text()
    server.signal()
    assert server.exit_code() == 0
    assert [line.split(maxsplit=1)[1].rstrip() for line in said.splitlines()] == [
        "serve is ready",
        "tiny 3: négatif, neutral, positive",
        "fp32 on CPUExecutionProvider",
        "3, each of 1 thread(s)",
        "at most 384 tokens",
        server.address,
        f"http://{server.metrics_address}/metrics",
        f"http://{server.metrics_address}/",
    ]
    assert [json.loads(line)["message"] for line in server.errors.read_text().splitlines()] == [
        "a model is served",
        "draining",
        "a model is no longer served",
    ]
