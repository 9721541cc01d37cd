"""An authority with certificates, key files, and locked servers in this process."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest

from strop.bench.certificates import Authority
from strop.serve.config import ServeConfig
from strop.serve.console.standing import Standing
from strop.serve.doors.doors import Doors
from strop.serve.observe.metrics import Metrics
from strop.serve.process.announce import Addresses
from strop.serve.process.models import loaded
from strop.serve.process.server import listening


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@dataclass
class Locked:
    """A server in this process."""

    addresses: Addresses
    metrics: Metrics


@asynccontextmanager
async def locked_server(bundle: Path, **options: Any) -> AsyncIterator[Locked]:
    options = {"address": "127.0.0.1:0", "grace_seconds": 5, "dollars_per_hour": 1.0} | options
    config = ServeConfig(str(bundle), **options)
    metrics = Metrics()
    async with (
        loaded(config, metrics, Standing()) as models,
        listening(models, config, Doors.of(config)) as addresses,
    ):
        yield Locked(addresses, metrics)


Play = Callable[..., None]


@pytest.fixture
def play(tiny_bundle: Path) -> Play:
    """Runs a scenario against a server of its own, with these options."""

    def run(scenario: Callable[[Locked], Coroutine[Any, Any, None]], **options: Any) -> None:
        async def main() -> None:
            async with asyncio.timeout(60), locked_server(tiny_bundle, **options) as server:
                await scenario(server)

        asyncio.run(main())

    return run


async def status(call: Any) -> tuple[grpc.StatusCode, str]:
    """How a call ended."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code(), error.details() or ""
    return grpc.StatusCode.OK, ""


@pytest.fixture(name="status")
def status_fixture() -> Callable[[Any], Coroutine[Any, Any, tuple[grpc.StatusCode, str]]]:
    return status
