"""Connections that break off, stall or speak something else: nobody else notices."""

import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from strop.proto import strop_pb2 as pb
from strop.proto import strop_pb2_grpc as pb_grpc

Connect = Callable[[], socket.socket]
Answers = Callable[[str], None]

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = bytes(3) + b"\x04" + bytes(5)
# A request's headers as HPACK literals (RFC 7541), without an index.
HEADERS = b"".join(
    bytes([0, len(name)]) + name + bytes([len(value)]) + value
    for name, value in (
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", b"/strop.v1.Strop/Classify"),
        (b":authority", b"me"),
        (b"content-type", b"application/grpc"),
        (b"te", b"trailers"),
    )
)
MESSAGE = b"\0" + (1000).to_bytes(4, "big") + b"half"


def frame(kind: int, flags: int, content: bytes, stream: int = 1) -> bytes:
    return len(content).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + content


HALF_A_CALL = PREFACE + SETTINGS + frame(1, 4, HEADERS) + frame(0, 0, MESSAGE)


def in_flight(server: Any) -> float:
    return float(server.metric("strop_in_flight_requests"))


def test_silent_connections_hold_up_nobody(connect: Connect, server: Any, answers: Answers) -> None:
    for number in range(60):
        one = connect()
        if number % 3:
            one.sendall(PREFACE if number % 3 == 1 else PREFACE[:9])
    answers(server.address)
    assert in_flight(server) == 0


@pytest.mark.parametrize("ending", ["FIN", "RST"])
def test_a_message_that_breaks_off_is_no_call(
    connect: Connect, server: Any, answers: Answers, ending: str
) -> None:
    before = server.metric("strop_request_seconds_count")
    one = connect()
    one.sendall(HALF_A_CALL)
    if ending == "FIN":
        one.shutdown(socket.SHUT_WR)
    else:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.close()
    answers(server.address)
    assert in_flight(server) == 0
    assert server.metric("strop_request_seconds_count") == before + 1


def test_a_request_that_comes_byte_by_byte_holds_up_nobody(
    connect: Connect, server: Any, answers: Answers
) -> None:
    slow = [connect() for _ in range(8)]
    for number in range(60):
        for one in slow:
            one.sendall(HALF_A_CALL[number : number + 1])
        if number % 20 == 0:
            answers(server.address)
    assert in_flight(server) == 0


@pytest.mark.parametrize(
    "said",
    [b"GET / HTTP/1.1\r\nHost: me\r\n\r\n", b"\x16\x03\x01\x02\0", bytes(64)],
    ids=["HTTP/1", "TLS", "0"],
)
def test_another_protocol_is_hung_up_on(
    connect: Connect, server: Any, answers: Answers, said: bytes
) -> None:
    one = connect()
    one.sendall(said + bytes(64))
    while one.recv(4096):
        pass
    answers(server.address)


def test_endless_metadata_is_refused_before_any_handler(server: Any, channel: grpc.Channel) -> None:
    before = server.metric("strop_request_seconds_count")
    with pytest.raises(grpc.RpcError) as caught:
        pb_grpc.StropStub(channel).Classify(
            pb.ClassifyRequest(texts=["good"]), metadata=[("x-request-id", "7" * 2**20)], timeout=30
        )
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "metadata size exceeds" in caught.value.details()
    assert server.metric("strop_request_seconds_count") == before


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip], ids=str)
def test_a_huge_request_is_refused_before_it_takes_memory(
    server: Any, compression: grpc.Compression
) -> None:
    megabytes = 64
    text = "a" * megabytes * 2**20
    with grpc.insecure_channel(server.address, [("grpc.max_send_message_length", -1)]) as channel:
        before = peak_kilobytes(server)
        with pytest.raises(grpc.RpcError) as caught:
            pb_grpc.StropStub(channel).Classify(
                pb.ClassifyRequest(texts=[text]), timeout=60, compression=compression
            )
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "message larger than max" in caught.value.details()
    assert peak_kilobytes(server) - before < megabytes * 1024 / 4


def peak_kilobytes(server: Any) -> int:
    lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
