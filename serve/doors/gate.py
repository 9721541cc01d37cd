"""The gate before every gRPC call: who asks, and whether they may, before a request is parsed."""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
from grpc.aio import ServicerContext as Context

from ..errors import PermissionDeniedError, RequestError, UnauthenticatedError
from ..wire.calls import Calls
from .keys import ANYBODY, SEND, Key, KeyRing, Scope, presented_key
from .reloaded import Reloaded
from .visit import Visit, visit

OPEN = {
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
    "/inference.GRPCInferenceService/ServerLive",
    "/inference.GRPCInferenceService/ServerReady",
}
"""What load balancers and orchestrators ask without a key; the answers tell whether it serves, no more."""
ADMIN = {
    "/inference.GRPCInferenceService/RepositoryIndex",
    "/inference.GRPCInferenceService/RepositoryModelLoad",
    "/inference.GRPCInferenceService/RepositoryModelUnload",
    "/inference.GRPCInferenceService/ModelStatistics",
}
REFLECTION = "/grpc.reflection."
"""Any key may ask what services there are."""
CERTIFICATE_NAMES = ("x509_common_name", "x509_subject_alternative_name")

Handler = Any
"""grpc.RpcMethodHandler, which has no type."""


class Gate(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """Lets a call in, or ends it with UNAUTHENTICATED or PERMISSION_DENIED."""

    def __init__(self, calls: Calls, keys: Reloaded[KeyRing] | None, *, admin: bool) -> None:
        """Without ``keys`` anybody is let in; ``admin`` says whether admin calls are taken here."""
        self._calls = calls
        self._keys = keys
        self._admin = admin
        self._guarded: dict[str, Handler] = {}

    async def intercept_service(
        self, continuation: Callable[[Any], Awaitable[Handler | None]], details: Any
    ) -> Handler | None:
        """The handler of a call behind the gate; None for a method that there isn't."""
        method: str = details.method
        if method in self._guarded:
            return self._guarded[method]
        handler = await continuation(details)
        if handler is not None and method not in OPEN:
            handler = self._guarded[method] = self._guard(method, handler)
        return handler

    def _guard(self, method: str, handler: Handler) -> Handler:
        async def let_in(context: Context) -> bool:
            """Whether the call may go on; if not, its status is set."""
            try:
                key = self._identify(context)
                visit.set(Visit(key))
                self._allow(method, key)
            except RequestError as error:
                service, _, name = method[1:].partition("/")
                await self._calls.run(service, name, None, _refuse(error), context)
                return False
            return True

        return (_guard_stream if handler.request_streaming else _guard_unary)(handler, let_in)

    def _identify(self, context: Context) -> Key:
        """Whose call it is; ``UnauthenticatedError`` if nobody's."""
        if self._keys is None:
            return ANYBODY
        keys = self._keys.get()
        if presented := presented_key(context.invocation_metadata() or ()):
            if key := keys.by_secret(presented):
                return key
            raise UnauthenticatedError("the API key is not known here; ask for another one")
        sent = context.auth_context()
        names = (name.decode(errors="replace") for kind in CERTIFICATE_NAMES for name in sent.get(kind, ()))
        if key := keys.by_certificate(names):
            return key
        raise UnauthenticatedError(f"the call has no API key; {SEND}")

    def _allow(self, method: str, key: Key) -> None:
        """``PermissionDeniedError`` unless the key is good for the method, and this the place for it."""
        if method.startswith(REFLECTION):
            return
        if method in ADMIN and not self._admin:
            raise PermissionDeniedError("admin calls are not taken here; ask at --admin-address")
        needed = Scope.ADMIN if method in ADMIN else Scope.INFER
        if needed not in key.scopes:
            has = ", ".join(sorted(key.scopes))
            raise PermissionDeniedError(f"the call needs a key with scope {needed}, and this one has {has}")


async def _refuse(error: RequestError) -> None:
    raise error


LetIn = Callable[[Context], Awaitable[bool]]


def _guard_unary(handler: Handler, let_in: LetIn) -> Handler:
    behaviour, parse = handler.unary_unary, handler.request_deserializer

    async def unary(request: bytes, context: Context) -> Any:
        return await behaviour(parse(request), context) if await let_in(context) else None

    return grpc.unary_unary_rpc_method_handler(unary, None, handler.response_serializer)


def _guard_stream(handler: Handler, let_in: LetIn) -> Handler:
    behaviour: Any = handler.stream_stream

    async def stream(requests: AsyncIterator[Any], context: Context) -> None:
        if await let_in(context):
            await behaviour(requests, context)

    async def generated(requests: AsyncIterator[Any], context: Context) -> AsyncIterator[Any]:
        if await let_in(context):
            async for reply in behaviour(requests, context):
                yield reply

    return grpc.stream_stream_rpc_method_handler(
        generated if inspect.isasyncgenfunction(behaviour) else stream,
        handler.request_deserializer,
        handler.response_serializer,
    )
