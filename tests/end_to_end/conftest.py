"""A server of the bundle that a module makes, and who asks it."""

from collections.abc import Iterator

import grpc
import pytest

from strop.bench.server_process import ServerProcess
from strop.export.bundle import Bundle


@pytest.fixture(scope="module")
def address(bundle: Bundle) -> Iterator[str]:
    """Where a server of the module's bundle, its fp32 variant, listens."""
    with ServerProcess(bundle.root, "--variant", "fp32") as server:
        yield server.address


@pytest.fixture(scope="module")
def channel(address: str) -> Iterator[grpc.Channel]:
    """A connection to it."""
    with grpc.insecure_channel(address) as channel:
        yield channel
