"""Calls over long-lived streams: many under way on each, every reply finds its call by its id."""

import asyncio
import contextlib
import itertools
from typing import Any, Self

import grpc

from ..client import Outcome, connect, new_channel
from ..stream_protocols import StreamWire

ENDED = Outcome("UNAVAILABLE", detail="the stream ended")


class Streams:
    """A stream on each of several connections, used round-robin; use it in an ``async with``."""

    def __init__(self, address: str, wire: StreamWire, *, streams: int = 1) -> None:
        """Connects on ``__aenter__``."""
        self.address = address
        self._wire = wire
        self._count = streams
        self._numbers = itertools.count(1)
        self._streams: list[_Stream] = []

    @property
    def strays(self) -> int:
        """Replies that no call waited for: answers to nobody, or second ones."""
        return sum(stream.strays for stream in self._streams)

    async def __aenter__(self) -> Self:
        """Connect; ``StropError`` at once if nobody listens."""
        for _ in range(self._count):
            stream = _Stream(new_channel(self.address), self._wire)
            self._streams.append(stream)
            try:
                await stream.open(self.address)
            except BaseException:
                await self.close()
                raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End the streams; a call that is under way comes back as UNAVAILABLE."""
        await asyncio.gather(*(stream.close() for stream in self._streams))

    async def call(self, request: bytes) -> Outcome:
        """Send a serialised request and wait for its reply; never raises for what a server answers."""
        number = next(self._numbers)
        return await self._streams[number % self._count].call(request, str(number))


class _Stream:
    def __init__(self, channel: Any, wire: StreamWire) -> None:
        self.strays = 0
        self._channel = channel
        self._wire = wire
        self._waiting: dict[str, asyncio.Future[Outcome]] = {}
        self._given_up: set[str] = set()
        # gRPC takes one write at a time.
        self._writing = asyncio.Lock()
        self._ended = False
        self._reading: asyncio.Task[None] | None = None

    async def open(self, address: str) -> None:
        await connect(self._channel, address)
        self._call = self._channel.stream_stream(self._wire.method)()
        self._reading = asyncio.create_task(self._read())

    async def close(self) -> None:
        await self._channel.close()
        self._end()
        if self._reading:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reading

    async def call(self, request: bytes, identity: str) -> Outcome:
        if self._ended:
            return ENDED
        reply: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting[identity] = reply
        written = False
        try:
            async with self._writing:
                await self._call.write(self._wire.tag(request, identity))
                written = True
            return await reply
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            return ENDED
        finally:
            if self._waiting.pop(identity, None) and written:
                self._given_up.add(identity)

    async def _read(self) -> None:
        try:
            async for reply in self._call:
                read = self._wire.read_message(reply)
                if waiting := self._waiting.pop(read.id, None):
                    if not waiting.done():
                        waiting.set_result(Outcome(read.status, reply, read.detail))
                elif read.id in self._given_up:
                    self._given_up.discard(read.id)
                else:
                    self.strays += 1
        except grpc.aio.AioRpcError:
            pass  # the server ended it, or close did; whoever waits is told below
        finally:
            self._end()

    def _end(self) -> None:
        self._ended = True
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_result(ENDED)
