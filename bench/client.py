"""A client of a running server: several connections, bytes out, status and bytes back."""

import asyncio
import itertools
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import grpc

from strop.access import OPEN, AccessOptions, unanswered, without_key
from strop.errors import InputError, StropError

from .columns import Text
from .protocols import Reply, Wire, read_reply

CONNECT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one call ended."""

    status: str
    """The name of its gRPC status: ``OK``, ``DEADLINE_EXCEEDED``, …; over HTTP also ``HTTP 503``, …"""
    reply: bytes = b""
    """The serialised reply, read only after the load so that the client stays light."""
    detail: str = ""
    """The server's message, where it failed."""


class Caller(ABC):
    """Sends serialised requests to one server; use it in an ``async with``."""

    wrong_input: ClassVar[Collection[str]]
    """The statuses by which a server says that the request is at fault."""

    def __init__(self, address: str) -> None:
        self.address = address

    @abstractmethod
    async def __aenter__(self) -> Self:
        """Connect; ``StropError`` at once if nobody listens."""

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @abstractmethod
    async def close(self) -> None:
        """Close the connections, cancelling calls that are under way."""

    @abstractmethod
    async def call(self, method: str, request: bytes) -> Outcome:
        """One call of a method as its ``Wire`` names it; never raises for what a server answers."""

    async def answer(self, method: str, request: bytes) -> bytes:
        """The serialised reply to a call; raises as ``require``."""
        return self.require(await self.call(method, request))

    def require(self, outcome: Outcome) -> bytes:
        """The reply of a call that went well.

        Raises ``InputError`` with the server's message when it calls the request wrong,
        ``StropError`` for any other failure.
        """
        if outcome.status == "UNAUTHENTICATED":
            raise without_key(self.address, outcome.detail)
        if outcome.status in self.wrong_input:
            raise InputError(f"{self.address} refuses: {outcome.detail} ({outcome.status})")
        if outcome.status != "OK":
            raise StropError(f"{self.address} failed: {outcome.detail} ({outcome.status})")
        return outcome.reply

    async def ask(self, wire: Wire, texts: Sequence[Text], top_k: int | None = None) -> Reply:
        """Ask once and read the answer; raises as ``require``, and ``StropError`` if it can't be read."""
        return read_reply(wire, await self.answer(wire.method, wire.encode(texts, top_k)), len(texts))


class Client(Caller):
    """A caller over gRPC: round-robin over its connections."""

    wrong_input = (
        "INVALID_ARGUMENT",
        "NOT_FOUND",
        "UNIMPLEMENTED",
        "PERMISSION_DENIED",
    )

    def __init__(
        self, address: str, *, channels: int = 1, deadline: float = 10.0, access: AccessOptions = OPEN
    ) -> None:
        """``deadline``: seconds that each call may take. Connects on ``__aenter__``."""
        super().__init__(address)
        self._deadline = deadline
        self._metadata = access.metadata()
        self._channels = [new_channel(address, access) for _ in range(channels)]
        self._calls: dict[str, itertools.cycle[Any]] = {}

    async def __aenter__(self) -> Self:
        """Connect every channel; ``StropError`` at once if nobody listens."""
        try:
            await asyncio.gather(*(connect(channel, self.address) for channel in self._channels))
        except BaseException:
            await self.close()
            raise
        return self

    async def close(self) -> None:
        """Close the connections, cancelling calls that are under way."""
        await asyncio.gather(*(channel.close() for channel in self._channels))

    async def call(self, method: str, request: bytes) -> Outcome:
        """One call of a unary method by its full name; never raises for what a server answers."""
        if method not in self._calls:
            self._calls[method] = itertools.cycle(
                [channel.unary_unary(method) for channel in self._channels]
            )
        try:
            call = next(self._calls[method])
            return Outcome("OK", await call(request, timeout=self._deadline, metadata=self._metadata))
        except grpc.aio.AioRpcError as error:
            return Outcome(error.code().name, detail=error.details() or "")


def new_channel(address: str, access: AccessOptions = OPEN) -> Any:
    """A connection of its own, not yet made; ``InputError`` for files of ``access`` that can't be read.

    Without its own subchannel pool every channel would share one connection, and so one worker of a
    server that spreads connections over processes.
    """
    options, credentials = [("grpc.use_local_subchannel_pool", 1)], access.credentials()
    if credentials is None:
        return grpc.aio.insecure_channel(address, options=options)
    return grpc.aio.secure_channel(address, credentials, options=options)


async def connect(channel: Any, address: str) -> None:
    """Make the connection; ``StropError`` if nobody listens."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            state = channel.get_state(try_to_connect=True)
            while state is not grpc.ChannelConnectivity.READY:
                if state is grpc.ChannelConnectivity.TRANSIENT_FAILURE:
                    raise ConnectionRefusedError
                await channel.wait_for_state_change(state)
                state = channel.get_state(try_to_connect=True)
    except (TimeoutError, ConnectionRefusedError) as error:
        raise unanswered(address) from error
