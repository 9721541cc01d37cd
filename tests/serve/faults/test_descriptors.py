"""A process that may open no more files."""

import resource
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc

from strop.proto import strop_pb2 as pb
from strop.proto import strop_pb2_grpc as pb_grpc

REQUEST = pb.ClassifyRequest(texts=["good film"])


def test_a_server_without_file_descriptors_answers_who_is_there_says_so_and_recovers(
    start_server: Callable[..., Any],
    tiny_bundle: Path,
    until: Callable[[Callable[[], Any]], Any],
    answers: Callable[[str], None],
) -> None:
    server = start_server(tiny_bundle)
    host, _, port = server.address.rpartition(":")
    with grpc.insecure_channel(server.address) as channel:
        strop = pb_grpc.StropStub(channel)
        assert strop.Classify(REQUEST, timeout=30).results
        highest = max(int(path.name) for path in Path(f"/proc/{server.process.pid}/fd").iterdir())
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (highest + 3, highest + 3))
        crowd = [socket.create_connection((host, int(port)), timeout=30) for _ in range(5)]
        until(lambda: "File descriptor limit reached" in server.errors.read_text())
        assert strop.Classify(REQUEST, timeout=30).results
        for one in crowd:
            one.close()
        answers(server.address)
    server.signal()
    assert server.exit_code() == 0
