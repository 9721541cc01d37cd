"""Several worker processes behind one address, and the supervisor that keeps them."""

import contextlib
import json
import shutil
import signal
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from strop.export.bundle import GoldenExample
from strop.export.bundle.golden import read_golden, write_golden
from strop.host import usable_cores
from strop.proto import strop_pb2 as typed
from strop.proto import strop_pb2_grpc as typed_grpc
from strop.serve.config import ServeConfig
from strop.serve.process.counts import Counts
from strop.serve.process.supervisor import next_pause

Until = Callable[[Callable[[], Any]], Any]
Start = Callable[..., Any]
Refuse = Callable[..., "subprocess.CompletedProcess[str]"]

REQUEST = typed.ClassifyRequest(texts=["good film"])
# Connections are spread by a hash: that all of so many meet one worker happens once in 2**31 runs.
CHANNELS = 32


@contextlib.contextmanager
def stubs(address: str) -> Iterator[list[Any]]:
    """A stub for each of ``CHANNELS`` connections."""
    # Channels with the same options share one connection otherwise.
    options = [("grpc.use_local_subchannel_pool", 1)]
    with contextlib.ExitStack() as stack:
        yield [
            typed_grpc.StropStub(stack.enter_context(grpc.insecure_channel(address, options)))
            for _ in range(CHANNELS)
        ]


def children(pid: int) -> list[int]:
    """The processes that ``pid`` started."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    """Whether the process still runs: a zombie waits for its parent, but runs no more."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def calls_counted(server: Any) -> float:
    """Calls to Classify that ended, however they did."""
    return float(
        sum(
            value
            for (name, labels), value in server.metrics().items()
            if name == "strop_request_seconds_count" and ("method", "Classify") in labels
        )
    )


def calls_arrived(server: Any) -> float:
    return calls_counted(server) + float(server.metric("strop_in_flight_requests"))


def logged(server: Any, message: str) -> list[dict[str, Any]]:
    lines = map(json.loads, server.errors.read_text().splitlines())
    return [line for line in lines if line["message"] == message]


def test_counts_of_all_workers_add_up_and_outlive_a_killed_one(
    start_server: Start, tiny_bundle: Path, until: Until
) -> None:
    server = start_server(tiny_bundle, "--workers", "2")
    assert server.metric("strop_workers_ready") == 2
    with stubs(server.address) as strops:
        first, *others = [strop.Classify(REQUEST).results[0] for strop in strops]
    assert all(other == first for other in others)
    assert calls_counted(server) == CHANNELS
    assert server.metric("strop_texts_total") == CHANNELS
    facts = {"model": "tiny", "version": "3", "variant": "fp32", "provider": "CPUExecutionProvider"}
    assert server.metric("strop_model_info", **facts) == 1

    old = children(server.process.pid)
    assert len(old) == 2
    for victim in old:
        subprocess.run(["kill", "-KILL", str(victim)], check=True)
        assert calls_counted(server) == CHANNELS
    until(lambda: server.metric("strop_worker_deaths_total") == 2)
    until(lambda: server.metric("strop_workers_ready") == 2)
    assert calls_counted(server) == CHANNELS
    assert set(children(server.process.pid)).isdisjoint(old)

    with stubs(server.address) as strops:
        for strop in strops:
            strop.Classify(REQUEST)
    assert calls_counted(server) == 2 * CHANNELS
    assert server.metric("strop_texts_total") == 2 * CHANNELS
    server.signal()
    assert server.exit_code() == 0, server.errors.read_text()
    replaced = logged(server, "a worker is replaced")
    assert sorted(line["pid"] for line in replaced) == sorted(old)
    assert {line["ending"] for line in replaced} == {"was killed by signal 9 (Killed)"}


def test_calls_on_the_other_worker_outlive_a_killed_one(
    start_server: Start, slow_bundle: Path, until: Until
) -> None:
    server = start_server(slow_bundle, "--workers", "2", "--batch-tokens", "8")
    victim = children(server.process.pid)[0]
    with stubs(server.address) as strops:
        calls = [strop.Classify.future(REQUEST) for strop in strops]
        until(lambda: calls_arrived(server) == CHANNELS)
        subprocess.run(["kill", "-KILL", str(victim)], check=True)
        codes = [call.code() for call in calls]
    assert set(codes) == {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE}
    assert all(call.result().results for call in calls if call.code() is grpc.StatusCode.OK)
    until(lambda: server.metric("strop_worker_deaths_total") == 1)
    until(lambda: server.metric("strop_workers_ready") == 2)
    assert server.metric("strop_in_flight_requests") == 0


def test_a_drain_of_all_workers_loses_no_call_under_way(
    start_server: Start, slow_bundle: Path, until: Until
) -> None:
    server = start_server(slow_bundle, "--workers", "2", "--batch-tokens", "8")
    workers = children(server.process.pid)
    with stubs(server.address) as strops:
        calls = [strop.Classify.future(REQUEST) for strop in strops]
        until(lambda: calls_arrived(server) == CHANNELS)
        server.signal()
        assert {call.result(timeout=60).results[0].tokens for call in calls} == {4}
    assert server.exit_code() == 0, server.errors.read_text()
    assert not any(alive(worker) for worker in workers)
    assert sorted(line["worker"] for line in logged(server, "draining")) == [0, 1]


def test_calls_that_outlast_the_grace_make_the_exit_code_1(
    start_server: Start, slow_bundle: Path, until: Until
) -> None:
    options = "--workers", "2", "--batch-tokens", "8", "--grace-seconds", "0.01"
    server = start_server(slow_bundle, *options)
    with stubs(server.address) as strops:
        calls = [strop.Classify.future(REQUEST) for strop in strops for _ in range(8)]
        until(lambda: server.metric("strop_in_flight_requests") >= 4 * CHANNELS)
        server.signal()
        assert server.exit_code() == 1, server.errors.read_text()
        assert any(call.exception() is not None for call in calls)
    assert "calls were cancelled after 0.01 s of grace" in server.errors.read_text()


def test_a_second_signal_ends_every_worker(start_server: Start, tiny_bundle: Path, until: Until) -> None:
    server = start_server(tiny_bundle, "--workers", "2", "--notice-seconds", "600")
    workers = children(server.process.pid)
    server.signal()
    until(lambda: len(logged(server, "draining")) == 2)
    server.process.send_signal(signal.SIGINT)
    assert server.exit_code() == 1
    assert not any(alive(worker) for worker in workers)
    assert server.errors.read_text().splitlines()[-1] == "strop: stopped by a second signal"


def test_no_worker_and_no_file_outlives_a_killed_supervisor(
    start_server: Start, tiny_bundle: Path, until: Until, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    server = start_server(tiny_bundle, "--workers", "2")
    workers = children(server.process.pid)
    server.process.kill()
    assert server.exit_code() == -signal.SIGKILL
    until(lambda: not any(alive(worker) for worker in workers))
    assert list(folder.glob("strop-*")) == []
    # Nobody holds the port any more.
    start_server(tiny_bundle, "--address", server.address)


def test_a_foreign_server_is_refused_on_the_workers_port(
    start_server: Start, refuse_to_start: Refuse, tiny_bundle: Path
) -> None:
    server = start_server(tiny_bundle, "--workers", "2")
    for options in ((), ("--workers", "2")):
        ended = refuse_to_start(tiny_bundle, "--address", server.address, *options)
        assert ended.returncode == 2
        assert ended.stderr == (
            f"strop: --address {server.address}: address already in use;"
            " stop what listens there or choose another port\n"
        )


def test_a_bad_bundle_is_named_once(refuse_to_start: Refuse, tiny_bundle: Path, tmp_path: Path) -> None:
    root = tmp_path / "changed"
    shutil.copytree(tiny_bundle, root)
    with (root / "tokenizer.json").open("ab") as file:
        file.write(b" ")
    ended = refuse_to_start(root, "--workers", "3")
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1
    assert f"{root / 'tokenizer.json'} is not the file that was exported" in ended.stderr


def test_golden_answers_out_of_tolerance_are_told_once(
    refuse_to_start: Refuse, altered_bundle: Callable[[Callable[[Path], None]], Path]
) -> None:
    def swap(root: Path) -> None:
        examples = read_golden(root / "golden.jsonl")
        turned = [GoldenExample(one.text, one.output[::-1]) for one in examples]
        write_golden(root / "golden.jsonl", turned)

    ended = refuse_to_start(altered_bundle(swap), "--workers", "2")
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "and its tolerance is" in ended.stderr


@pytest.mark.parametrize(
    ("last", "lived", "pause"),
    [(0, 1, 0.5), (0.5, 1, 1.0), (8.0, 59, 16.0), (16.0, 1, 30.0), (30.0, 1, 30.0), (30.0, 61, 0.5)],
)
def test_each_early_death_doubles_the_pause_before_the_next_worker(
    last: float, lived: float, pause: float
) -> None:
    assert next_pause(last, lived) == pause


def test_workers_share_the_cores(tiny_bundle: Path) -> None:
    cores = usable_cores()
    assert ServeConfig(tiny_bundle, workers=cores).instance_count == 1
    assert ServeConfig(tiny_bundle, workers=cores + 1).instance_count == 1
    assert ServeConfig(tiny_bundle, workers=cores, instances=3).instance_count == 3
    assert ServeConfig(tiny_bundle).instance_count == cores


def test_a_file_of_counts_that_is_just_being_made_holds_no_page_up(tmp_path: Path) -> None:
    counts, young = Counts(tmp_path), tmp_path / "counter_7.db"
    young.touch()
    made = threading.Timer(0.02, young.write_bytes, [bytes(1 << 16)])
    made.start()
    assert counts.texts() == 0
    made.join()
    young.write_bytes(b"")
    with pytest.raises(struct.error):  # it stays like that: somebody spoiled it
        counts.texts()
