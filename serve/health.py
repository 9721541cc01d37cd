"""``strop health``: whether a running server takes calls, for whatever restarts or balances it."""

import math
from dataclasses import KW_ONLY, dataclass
from typing import Annotated

from cyclopts import Parameter

from strop.access import OPEN, AccessOptions, failed
from strop.errors import InputError, StropError
from strop.options import flag

from .address import require_address
from .config import BasicOptions


@Parameter(name="*")
@dataclass(frozen=True)
class HealthConfig:
    """Whom to ask, and how patiently."""

    address: str = BasicOptions.address
    """Where the server listens, as host:port."""
    _: KW_ONLY
    service: str = ""
    """The gRPC service to ask about; without it, the server as a whole."""
    timeout_seconds: float = 2.0
    """How long it may take to answer. Set it below the interval at which you ask."""
    access: Annotated[AccessOptions, Parameter(name="*")] = OPEN

    def __post_init__(self) -> None:
        """Raise ``InputError`` naming the option, its value and the fix."""
        if not 0 < self.timeout_seconds < math.inf:
            raise InputError(f"{flag('timeout_seconds')} is {self.timeout_seconds}; it must be above 0")
        require_address("--address", self.address)


def health(config: HealthConfig | None = None) -> None:
    """Ask a running server by gRPC's own health protocol; the exit code is 0 if it is SERVING, else 1.

    A server that drains says NOT_SERVING, and one that isn't there nothing.
    """
    config = config or HealthConfig()
    status = ask(config.address, config.service, config.timeout_seconds, config.access)
    if status != "SERVING":
        raise StropError(f"{config.address} is {status}; send it no calls")
    print(status)


def ask(address: str, service: str, timeout_seconds: float, access: AccessOptions = OPEN) -> str:
    """The health that a server tells of itself, such as ``SERVING``.

    Raises ``StropError`` when there is no answer in time, or none that tells it.
    """
    # Not at the top: the options' help must not wait for gRPC.
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    with access.channel(address) as channel:
        request = health_pb2.HealthCheckRequest(service=service)
        try:
            reply = health_pb2_grpc.HealthStub(channel).Check(request, timeout=timeout_seconds)
        except grpc.RpcError as error:
            raise failed(address, error) from error
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(reply.status))
