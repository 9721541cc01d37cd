"""A bidirectional call: many messages under way at once, each answered on its own."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Generic, TypeVar

import grpc
from grpc.aio import ServicerContext as Context

from .calls import Service
from .registration import Malformed

Request = TypeVar("Request")
Reply = TypeVar("Reply")

# More are left unread, so that gRPC's flow control holds the caller back.
UNDER_WAY = 256
# In so many parts of the time that a stream may idle it is looked at again while its texts are computed.
LOOKS = 10
IDLE = "the stream's caller neither sent nor read anything for too long; open another one"


class Stream(Generic[Request, Reply]):
    """One call's messages on their way; a reply that isn't written yet counts as under way."""

    def __init__(
        self,
        servicer: Service,
        method: str,
        context: Context,
        answer: Callable[[Request], Awaitable[Reply]],
        failed: Callable[[Request | None, grpc.StatusCode, str], Reply],
        *,
        in_order: bool,
    ) -> None:
        """``answer`` gives the reply to a message; what it raises is put into one by ``failed``.

        Replies are written as they are done, or with ``in_order`` as their messages came.
        """
        self._servicer = servicer
        self._method = method
        self._context = context
        self._answer = answer
        self._failed = failed
        self._in_order = in_order
        self._room = asyncio.Semaphore(UNDER_WAY)
        self._under_way: dict[asyncio.Task[Reply], None] = {}
        self._replies: asyncio.Queue[Reply | None] = asyncio.Queue()
        self._moved = time.monotonic()
        """When its caller last sent or took something, or something for it was done."""

    async def run(self) -> None:
        """Serve until the caller has sent its last message or the server goes down.

        What is under way is then finished; cancelled, it cancels what is under way.
        """
        reading = asyncio.create_task(self._read())
        writing = asyncio.create_task(self._write())
        closing = asyncio.create_task(self._servicer.calls.closing.wait())
        idling = asyncio.create_task(self._idle())
        try:
            await _first({reading, closing, idling})
            if ended := reading.done():
                reading.result()  # raises what a read failed with
            reading.cancel()
            if self._under_way:
                await asyncio.wait(self._under_way)
            self._replies.put_nowait(None)
            await _first({writing, idling})
            if idling.done():
                self._let_go()
            # gRPC has one reply of a caller that doesn't read, and ends the call only behind that: once it
            # is read, or the connection is gone.
            await writing
        finally:
            for task in (reading, writing, closing, idling, *self._under_way):
                task.cancel()
        if idling.done():
            await self._context.abort(grpc.StatusCode.ABORTED, IDLE)
        if not ended:
            await self._context.abort(
                grpc.StatusCode.UNAVAILABLE, "the server is shutting down; ask another one"
            )

    async def _read(self) -> None:
        await self._room.acquire()
        while (request := await self._context.read()) is not grpc.aio.EOF:
            task = asyncio.create_task(self._reply(request))
            self._moved = time.monotonic()
            self._under_way[task] = None
            task.add_done_callback(self._done)
            await self._room.acquire()

    def _reply(self, request: Request | Malformed) -> Coroutine[None, None, Reply]:
        calls, service = self._servicer.calls, self._servicer.service
        if isinstance(request, Malformed):
            reply: Awaitable[Reply] = request.refuse()
            failed = partial(self._failed, None)
        else:
            reply, failed = self._answer(request), partial(self._failed, request)
        return calls.run(service, self._method, request, reply, self._context, failed)

    def _done(self, task: "asyncio.Task[Reply]") -> None:
        self._moved = time.monotonic()
        if not self._in_order:
            self._hand_over(task)
            return
        while self._under_way and (first := next(iter(self._under_way))).done():
            self._hand_over(first)

    def _hand_over(self, task: "asyncio.Task[Reply]") -> None:
        del self._under_way[task]
        if not task.cancelled():
            self._replies.put_nowait(task.result())

    async def _write(self) -> None:
        while (reply := await self._replies.get()) is not None:
            await self._context.write(reply)
            self._moved = time.monotonic()
            self._room.release()

    def _let_go(self) -> None:
        """Drop the replies that are not being written yet."""
        while not self._replies.empty():
            self._replies.get_nowait()
        self._replies.put_nowait(None)

    async def _idle(self) -> None:
        """Wait until its caller has neither sent nor taken anything for too long."""
        limit = self._servicer.calls.stream_idle_seconds
        if not limit:
            await asyncio.Event().wait()
        while (left := self._moved + limit - time.monotonic()) > 0 or self._under_way:
            await asyncio.sleep(max(left, limit / LOOKS))


async def _first(tasks: "set[asyncio.Task[Any]]") -> None:
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
