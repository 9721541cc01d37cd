"""The one place where a call is timed and counted, and where its failure is put on the wire."""

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from functools import partial, wraps
from typing import Protocol, TypeVar, cast

import grpc
from grpc.aio import ServicerContext as Context

from ..doors.visit import Visit, visit
from ..errors import Metadata, RequestError
from ..observe.log import Facts, about
from ..observe.metrics import Metrics
from .registration import Malformed

log = logging.getLogger(__name__)

# Characters; one outside ASCII takes up to 12 bytes in a status.
LONGEST_MESSAGE = 500
LONGEST_ID = 128
"""Of a call in the log: what its caller sends may be as long as a message."""
UNFORESEEN = "internal error; the server's log has the cause"

Request = TypeVar("Request")
Reply = TypeVar("Reply")
Failed = Callable[[grpc.StatusCode, str], Reply]

EndSpan = Callable[[grpc.StatusCode], None]
"""Ends a call's span with the status of the call."""
StartSpan = Callable[[str, str, Context], EndSpan]
"""Starts the span of a call to a service's method."""
Note = Callable[[str, str, str, str], None]
"""Hears of a failed call: its method, the model that it named, its status, and a remark of ours."""


Ended = Callable[[str, str, object, Context, grpc.StatusCode, float], None]
"""Hears of every call that ended: service, method, request, context, status, seconds."""


def no_span(service: str, method: str, context: Context) -> EndSpan:
    """Trace nothing."""
    return _no_end


def _no_end(code: grpc.StatusCode) -> None:
    pass


def unheard(
    service: str, method: str, request: object, context: Context, code: grpc.StatusCode, seconds: float
) -> None:
    """Write nothing down."""


def no_note(method: str, model: str, code: str, remark: str) -> None:
    """Remember no failure."""


class Calls:
    """Runs the handlers of every service and knows how many are under way."""

    def __init__(
        self,
        metrics: Metrics,
        start_span: StartSpan = no_span,
        note: Note = no_note,
        ended: Ended = unheard,
        stream_idle_seconds: float = 0.0,
    ) -> None:
        self._metrics = metrics
        self._ended = ended
        self.stream_idle_seconds = stream_idle_seconds
        """After which a stream is cut off; 0 for never."""
        self._start_span = start_span
        self._note = note
        self._idle = asyncio.Event()
        self._idle.set()
        self.in_flight = 0
        self.closing = asyncio.Event()
        """Set when streams must take no more messages."""

    async def run(
        self,
        service: str,
        method: str,
        request: object,
        reply: Awaitable[Reply],
        context: Context,
        failed: Failed[Reply] | None = None,
    ) -> Reply:
        """Await ``reply``; what it raises ends the call with the status that belongs to it.

        With ``failed`` it is one message of a stream: its status goes into the reply that ``failed``
        makes of it, and the stream goes on.

        A ``RequestError`` tells the caller its message. Anything unforeseen is INTERNAL, says
        nothing to the caller and leaves its traceback in the log.
        """
        started = time.monotonic()
        code = grpc.StatusCode.OK
        # Of its own: the messages of a stream are under way together.
        visit.set(Visit(visit.get().key))
        about.set(partial(_facts, service, method, request, context))
        self._begin()
        end_span = self._start_span(service, method, context)
        try:
            return await reply
        except asyncio.CancelledError:
            code = grpc.StatusCode.CANCELLED
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it becomes a status
            code, message, metadata = self._status(error)
            remark = error.remark if isinstance(error, RequestError) else UNFORESEEN
            self._note(method, _model_of(request), code.name, remark)
            if failed is not None:
                return failed(code, message)
            # Not context.abort: it raises through gRPC, which costs the server a fifth more for a
            # refused call, and that just when it is flooded with them.
            context.set_code(code)
            context.set_details(message)
            context.set_trailing_metadata(metadata)
            return cast(Reply, None)
        finally:
            self._leave()
            seconds = time.monotonic() - started
            self._metrics.ended(service, method, code.name, seconds)
            end_span(code)
            self._ended(service, method, request, context, code, seconds)
            if log.isEnabledFor(logging.DEBUG):
                facts = {"code": code.name, "milliseconds": round(1000 * seconds, 3)}
                log.debug("a call ended", extra={"facts": facts})

    def _status(self, error: Exception) -> tuple[grpc.StatusCode, str, Metadata]:
        """What the caller is told of an error."""
        if not isinstance(error, RequestError):
            log.error("a call failed", exc_info=error)
            return grpc.StatusCode.INTERNAL, UNFORESEEN, ()
        if error.code is grpc.StatusCode.INTERNAL:
            log.error("a call failed", exc_info=error)
        if error.shed is not None:
            self._metrics.shed(error.shed)
        return error.code, _shortened(str(error)), error.trailing_metadata

    async def idle(self) -> None:
        """Wait until no call is under way."""
        await self._idle.wait()

    def _begin(self) -> None:
        self.in_flight += 1
        self._idle.clear()
        self._metrics.began()

    def _leave(self) -> None:
        self.in_flight -= 1
        if self.in_flight == 0:
            self._idle.set()


def _shortened(message: str) -> str:
    """Without its middle if it quotes something long: gRPC drops a status of more than 8 kB."""
    half = LONGEST_MESSAGE // 2
    return message if len(message) <= LONGEST_MESSAGE else f"{message[:half]} … {message[-half:]}"


def _model_of(request: object) -> str:
    """The model that a request names; a streamed message holds its request."""
    request = getattr(request, "request", request)
    name: str = getattr(request, "model_name", "") or getattr(request, "model", "")
    return name


def seconds_left(context: Context) -> float:
    """Seconds until the caller's deadline; infinite when it set none."""
    left: float | None = context.time_remaining()
    return float("inf") if left is None else left


def route_key(context: Context) -> str:
    """What keeps a caller with one version of a model whose calls are shared out, or nothing."""
    return str(dict(context.invocation_metadata() or ()).get("x-route-key", ""))


def request_id(sent: str, context: Context) -> str:
    """The id of a call: what its caller sent, or its metadata x-request-id has, or else a new one."""
    return sent or dict(context.invocation_metadata() or ()).get("x-request-id") or new_request_id()


def new_request_id() -> str:
    """64 random bits, in hexadecimal."""
    return secrets.token_hex(8)


def _facts(service: str, method: str, request: object, context: Context) -> Facts:
    """Which call it is: asked only when a line is logged about it."""
    facts = {"service": service, "method": method}
    sent = dict(context.invocation_metadata() or ())
    # By W3C Trace Context: version-trace-parent-flags.
    trace = sent.get("traceparent", "").partition("-")[2].partition("-")[0]
    if request_id := getattr(request, "id", "") or sent.get("x-request-id") or trace:
        facts["request_id"] = request_id[:LONGEST_ID]
    return facts


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
        if isinstance(request, Malformed):
            reply: Awaitable[Reply] = request.refuse()
        else:
            reply = handler(servicer, request, context)
        return await servicer.calls.run(servicer.service, handler.__name__, request, reply, context)

    return call
