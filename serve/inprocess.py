"""The server's handlers without a socket: for whoever calls them a million times, to see what breaks."""

import contextlib
from collections.abc import AsyncIterator, Mapping

import grpc

from .config import ServeConfig
from .console.standing import Standing
from .doors.doors import Doors
from .observe.metrics import Metrics
from .process.models import loaded
from .process.server import services
from .wire.registration import handlers_of


@contextlib.asynccontextmanager
async def handlers(config: ServeConfig) -> AsyncIterator[Mapping[str, grpc.RpcMethodHandler]]:
    """Load the models and give what a gRPC server would call, by ``service/method``.

    Raises as ``run_server`` does. The addresses of ``config`` are not listened on.
    """
    async with loaded(config, Metrics(), Standing()) as models:
        yield {
            f"{service.service}/{method}": handler
            for service in services(models, config, Doors.of(config))
            for method, handler in handlers_of(service).items()
        }
