"""The server's life: listen, announce, serve until a signal, drain."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator

import grpc
import uvloop
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from strop.errors import StropError

from ..address import check_free, in_use, join, split
from ..config import ServeConfig
from ..console.port import metrics_port
from ..console.standing import Standing
from ..doors.certificates import credentials
from ..doors.doors import Doors
from ..doors.gate import Gate
from ..doors.listening import connection_options
from ..feedback.prepare import prepare_store
from ..observe.distances import show_distances
from ..observe.gpu import metered
from ..observe.metrics import Metrics
from ..observe.spending import counted
from ..wire.open_inference import OpenInference
from ..wire.registration import register
from ..wire.typed import Typed
from .announce import Addresses, announce, prepare_ready
from .models import Models, loaded, served

log = logging.getLogger(__name__)

# The last replies are still being written; streams such as health.Watch never end by themselves.
SETTLE_SECONDS = 0.5
# grpc.aio crashes when one stop's grace runs out just as another stop ends the server: the grace is
# timed here, and gRPC's own, in seconds, never runs out.
NO_GRACE_TIMER = 1e6


def run_server(config: ServeConfig) -> None:
    """Serve until a signal; returns once drained.

    Raises ``InputError`` for a bundle or address that isn't right, ``StropError`` when the model
    fails its checks or calls had to be cancelled at the end.
    """
    for flag, address in config.listens.items():
        check_free(flag, address)
    prepare_ready(config.ready_file)
    prepare_store(config)
    uvloop.run(_serve(config))


async def _serve(config: ServeConfig) -> None:
    metrics, doors, standing = Metrics(), Doors.of(config), Standing()
    if config.unlocked:
        log.warning(config.unlocked)
    with metrics_port(metrics.registry, standing.state, config, doors) as (console, metrics_address):
        async with (
            counted(metrics.registry, config.dollars_per_hour, lambda: metrics.texts),
            loaded(config, metrics, standing) as models,
        ):
            show_distances(metrics.registry)
            # Until here a signal ends the process at once: there are no calls to finish.
            signalled = _watch_signals()
            found = served(models.catalogue)
            async with (
                metered(
                    metrics.registry,
                    found.on_gpu or config.may_move_to_gpu,
                    [os.getpid()],
                    lambda: metrics.texts,
                    config.tariff,
                ),
                listening(models, config, doors) as addresses,
            ):
                console.address = addresses.calls
                announce(found, config, addresses, metrics_address)
                await signalled.wait()


@contextlib.asynccontextmanager
async def listening(models: Models, config: ServeConfig, doors: Doors) -> AsyncIterator[Addresses]:
    """Answer calls while the block runs, then drain; yields the addresses."""
    server = Server(models, config, doors)
    addresses = await server.start()
    # What is loaded by now stays. Every full collection would walk it: 26 ms of nothing else.
    gc.collect()
    gc.freeze()
    yield addresses
    await server.drain()


def services(models: Models, config: ServeConfig, doors: Doors) -> tuple[OpenInference, Typed]:
    """Both services on the models."""
    admission = doors.admission(config)
    return (
        OpenInference(models.catalogue, models.finder, models.control, models.calls, admission),
        Typed(models.finder, models.calls, admission, models.take_feedback),
    )


class Server:
    """The gRPC server with its services, and the order in which it goes down.

    Where admin calls have an address of their own, a second one listens there with the same services.
    """

    def __init__(self, models: Models, config: ServeConfig, doors: Doors) -> None:
        self._config = config
        self._doors = doors
        self._catalogue = models.catalogue
        self._calls = models.calls
        self._health = health.aio.HealthServicer()
        self._services = services(models, config, doors)
        apart = config.admin_address is not None
        self._server = self._new(admin=not apart)
        self._admin = self._new(admin=True) if apart else None

    def _new(self, *, admin: bool) -> grpc.aio.Server:
        """A server of all services, which takes ``admin`` calls or not."""
        config, names = self._config, [service.service for service in self._services]
        locked = self._doors.keys is not None or not admin
        server = grpc.aio.server(
            # None where it would let all in: a call costs less.
            interceptors=[Gate(self._calls, self._doors.keys, admin=admin)] if locked else [],
            options=[
                # For workers alone: otherwise a second server takes half of the calls unnoticed.
                ("grpc.so_reuseport", int(config.workers > 1)),
                ("grpc.server.max_pending_requests", config.accept_backlog),
                ("grpc.server.max_pending_requests_hard_limit", 2 * config.accept_backlog),
                *connection_options(config),
            ],
        )
        for service in self._services:
            register(service, server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        reflection.enable_server_reflection([*names, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
        return server

    async def start(self) -> Addresses:
        """Listen, report SERVING; returns the addresses. ``InputError`` when a port is taken."""
        config = self._config
        address = self._listen(self._server, "--address", config.address)
        admin = config.admin_address
        if self._admin is not None and admin is not None:
            admin = self._listen(self._admin, "--admin-address", admin)
            await self._admin.start()
        for service in self._services:
            await self._health.set(service.service, health_pb2.HealthCheckResponse.SERVING)
        await self._server.start()
        return Addresses(address, admin)

    def _listen(self, server: grpc.aio.Server, flag: str, address: str) -> str:
        certificates = self._doors.certificates
        try:
            if certificates is None:
                port = server.add_insecure_port(address)
            else:
                port = server.add_secure_port(address, credentials(certificates))
        except RuntimeError as error:
            raise in_use(flag, address, OSError(str(error))) from error
        return join(split(address)[0], port)

    async def drain(self) -> None:
        """Report NOT_SERVING, give notice, refuse new calls, let the ones under way finish.

        Raises ``StropError`` when the grace period ended before they had.
        """
        self._catalogue.ready = False
        await asyncio.gather(*(one.stop_upgrade() for one in self._catalogue.deployed.values()))
        await self._health.enter_graceful_shutdown()
        log.info("draining", extra={"facts": {"calls_under_way": self._calls.in_flight}})
        await asyncio.sleep(self._config.notice_seconds)
        self._catalogue.accepting = False
        self._calls.closing.set()
        grace = self._config.grace_seconds
        stopping = asyncio.create_task(self._server.stop(NO_GRACE_TIMER))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._calls.idle(), grace)
        unfinished = self._calls.in_flight
        if not unfinished:
            await asyncio.wait({stopping}, timeout=SETTLE_SECONDS)
        await self._server.stop(None)
        await stopping
        if self._admin is not None:
            await self._admin.stop(None)
        if unfinished:
            raise StropError(f"{unfinished} calls were cancelled after {grace} s of grace")


def _watch_signals() -> asyncio.Event:
    """Set by the first SIGTERM or SIGINT; the second one ends the process with exit code 1."""
    signalled = asyncio.Event()

    def handle() -> None:
        if signalled.is_set():
            sys.stderr.write("strop: stopped by a second signal\n")
            sys.stderr.flush()
            os._exit(1)
        signalled.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, handle)
    return signalled
