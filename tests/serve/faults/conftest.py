"""What breaks: a disk without room, and connections that don't keep to the protocol."""

import resource
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import grpc
import pytest

from strop.proto import strop_pb2 as pb
from strop.proto import strop_pb2_grpc as pb_grpc

REQUEST = pb.ClassifyRequest(texts=["good film"])


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """No file of this process, or of one that it starts, can be written past so many bytes.

    The kernel then fails a write as it does on a full disk, but for the error's number.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def full_disk() -> Callable[[int], AbstractContextManager[None]]:
    """Leaves so many bytes to every file."""
    return files_of_at_most


@pytest.fixture
def connect(server: Any) -> Iterator[Callable[[], socket.socket]]:
    """Opens bare TCP connections to the shared server."""
    host, _, port = server.address.rpartition(":")
    opened: list[socket.socket] = []

    def one() -> socket.socket:
        opened.append(socket.create_connection((host, int(port)), timeout=30))
        return opened[-1]

    yield one
    for connection in opened:
        connection.close()


@pytest.fixture
def answers() -> Callable[[str], None]:
    """Asserts that a server answers a caller who comes now."""

    def ask(address: str) -> None:
        # A connection of its own, not one that is there already.
        options = [("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(address, options) as channel:
            reply = pb_grpc.StropStub(channel).Classify(REQUEST, timeout=30, wait_for_ready=True)
        assert reply.results[0].tokens == 4

    return ask
