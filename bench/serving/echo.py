"""An empty gRPC server, ``python -m strop.bench.serving.echo``: bytes in, the same bytes out.

What a call costs it is what Python's gRPC itself costs, whatever is served with it. It also waits and
stalls for as long as it is told to.
"""

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import uvloop

from strop.errors import StropError

SERVICE = "strop.bench.Echo"
METHOD = f"/{SERVICE}/Echo"
WAIT = f"/{SERVICE}/Wait"
"""Takes as many seconds as the request says, and answers how many it took."""
STALL = f"/{SERVICE}/Stall"
"""The same, while the server does nothing else: what comes meanwhile waits, as behind a lock."""


@dataclass(frozen=True)
class EchoServer:
    """A running echo."""

    address: str
    pid: int


@contextlib.contextmanager
def echo_server() -> Iterator[EchoServer]:
    """An echo in a process of its own, until the end of the block; ``StropError`` if it fails."""
    command = [sys.executable, "-m", "strop.bench.serving.echo"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None  # noqa: S101
            address = process.stdout.readline().strip()
            if not address:
                raise StropError(f"the echo server ended with exit code {process.wait()}")
            yield EchoServer(address, process.pid)
        finally:
            process.kill()


async def _serve() -> None:
    server = grpc.aio.server()
    answers = {"Echo": _echo, "Wait": _wait, "Stall": _stall}
    handlers = {name: grpc.unary_unary_rpc_method_handler(answer) for name, answer in answers.items()}
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, handlers)])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"127.0.0.1:{port}", flush=True)
    await server.wait_for_termination()


async def _echo(request: bytes, _: Any) -> bytes:
    return request


async def _wait(request: bytes, _: Any) -> bytes:
    begun = time.perf_counter()
    await asyncio.sleep(float(request))
    return repr(time.perf_counter() - begun).encode()


async def _stall(request: bytes, _: Any) -> bytes:
    begun = time.perf_counter()
    time.sleep(float(request))  # it is to hold everything up
    return repr(time.perf_counter() - begun).encode()


if __name__ == "__main__":
    uvloop.run(_serve())
