"""A bidirectional call: many messages under way at once, each answered on its own."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Generic, TypeVar

import grpc
from grpc.aio import ServicerContext as Context

from .calls import Service
from .registration import Malformed

Request = TypeVar("Request")
Reply = TypeVar("Reply")

# More are left unread, so that gRPC's flow control holds the caller back.
UNDER_WAY = 256


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

    async def run(self) -> None:
        """Serve until the caller has sent its last message or the server goes down.

        What is under way is then finished; cancelled, it cancels what is under way.
        """
        reading = asyncio.create_task(self._read())
        writing = asyncio.create_task(self._write())
        closing = asyncio.create_task(self._servicer.calls.closing.wait())
        try:
            await asyncio.wait({reading, closing}, return_when=asyncio.FIRST_COMPLETED)
            if ended := reading.done():
                reading.result()  # raises what a read failed with
            reading.cancel()
            if self._under_way:
                await asyncio.wait(self._under_way)
            self._replies.put_nowait(None)
            await writing
        finally:
            for task in (reading, writing, closing, *self._under_way):
                task.cancel()
        if not ended:
            await self._context.abort(
                grpc.StatusCode.UNAVAILABLE, "the server is shutting down; ask another one"
            )

    async def _read(self) -> None:
        await self._room.acquire()
        while (request := await self._context.read()) is not grpc.aio.EOF:
            task = asyncio.create_task(self._reply(request))
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
            self._room.release()
