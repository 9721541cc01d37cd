"""Several client processes."""

import asyncio
import socket
from pathlib import Path

import pytest

from strop.bench.clients import is_local, most_clients, processes
from strop.bench.config import BenchConfig
from strop.errors import StropError


@pytest.mark.parametrize(
    ("address", "cores", "most"),
    [
        ("127.0.0.1:8001", 2, 1),
        ("localhost:8001", 16, 8),
        ("http://127.0.0.1:8001", 4, 2),
        ("unix:///run/strop", 2, 1),
        ("box:8001", 2, 2),
        ("https://box:8001", 2, 2),
        ("10.0.0.2:1", 1, 1),
    ],
)
def test_a_server_on_this_machine_keeps_half_of_the_cores(address: str, cores: int, most: int) -> None:
    assert most_clients(address, cores) == most
    assert is_local(address) == (most < cores and cores > 1)


def test_a_client_that_can_not_connect_says_so_and_leaves_no_process() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        config = BenchConfig(address, texts=Path("x"), clients=1)

        async def connect() -> None:
            async with processes(config, "/any", [b""]):
                pass

        with pytest.raises(StropError, match=f"no gRPC server answers at {address}"):
            asyncio.run(connect())
