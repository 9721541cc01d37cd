"""The one place where a call is timed and counted, and where its failure is put on the wire."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import NoReturn, Protocol, TypeVar

import grpc
from grpc.aio import ServicerContext as Context

from .errors import RequestError
from .metrics import Metrics

log = logging.getLogger(__name__)

Request = TypeVar("Request")
Reply = TypeVar("Reply")


class Calls:
    """Runs the handlers of every service and knows how many are under way."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._idle = asyncio.Event()
        self._idle.set()
        self.in_flight = 0

    async def run(self, service: str, method: str, reply: Awaitable[Reply], context: Context) -> Reply:
        """Await ``reply``; what it raises ends the call with the status that belongs to it.

        A ``RequestError`` tells the caller its message. Anything unforeseen is INTERNAL, says
        nothing to the caller and leaves its traceback in the log.
        """
        started = time.monotonic()
        code = grpc.StatusCode.OK
        self._begin()
        try:
            return await reply
        except RequestError as error:
            code = error.code
            if error.shed is not None:
                self._metrics.shed(error.shed)
            return await _abort(context, code, str(error), error.trailing_metadata)
        except asyncio.CancelledError:
            code = grpc.StatusCode.CANCELLED
            raise
        except Exception:
            code = grpc.StatusCode.INTERNAL
            log.exception("a call failed", extra={"facts": {"service": service, "method": method}})
            return await _abort(context, code, "internal error; the server's log has the cause")
        finally:
            self._end()
            self._metrics.ended(service, method, code.name, time.monotonic() - started)

    async def idle(self) -> None:
        """Wait until no call is under way."""
        await self._idle.wait()

    def _begin(self) -> None:
        self.in_flight += 1
        self._idle.clear()
        self._metrics.began()

    def _end(self) -> None:
        self.in_flight -= 1
        if self.in_flight == 0:
            self._idle.set()


async def _abort(
    context: Context,
    code: grpc.StatusCode,
    message: str,
    metadata: tuple[tuple[str, str], ...] = (),
) -> NoReturn:
    await context.abort(code, message, metadata)
    raise AssertionError("abort raises")


def seconds_left(context: Context) -> float:
    """Seconds until the caller's deadline; infinite when it set none."""
    left: float | None = context.time_remaining()
    return float("inf") if left is None else left


class Service(Protocol):
    """A servicer whose handlers are counted."""

    service: str
    calls: Calls


Servicer = TypeVar("Servicer", bound=Service)
Handler = Callable[[Servicer, Request, Context], Awaitable[Reply]]


def counted(handler: Handler[Servicer, Request, Reply]) -> Handler[Servicer, Request, Reply]:
    """Let a servicer's handler run through its ``calls``."""

    @wraps(handler)
    async def call(servicer: Servicer, request: Request, context: Context) -> Reply:
        reply = handler(servicer, request, context)
        return await servicer.calls.run(servicer.service, handler.__name__, reply, context)

    return call
