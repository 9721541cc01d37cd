"""Services put on a gRPC server, so that bytes which are no message are refused like any bad request."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn, Protocol

import grpc
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from ..errors import InvalidArgumentError


@dataclass(frozen=True)
class Malformed:
    """What a handler gets instead of a request that could not be parsed."""

    reason: str
    wanted: str
    """The message that it should have been."""

    async def refuse(self) -> NoReturn:
        """Raise ``InvalidArgumentError``."""
        raise InvalidArgumentError(f"the request can't be parsed: {self.reason}; send a {self.wanted}")


class Described(Protocol):
    """A servicer that knows which service it is."""

    descriptor: ServiceDescriptor


def register(servicer: Described, server: grpc.aio.Server) -> None:
    """Let ``servicer`` handle the calls of its service.

    As the generated function does, save that gRPC would answer a request that can't be parsed with
    UNKNOWN and log it as a fault of the server.
    """
    name, handlers = servicer.descriptor.full_name, handlers_of(servicer)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, handlers),))


def handlers_of(servicer: Described) -> dict[str, grpc.RpcMethodHandler]:
    """What takes the bytes of a request and gives those of a reply, by method."""
    return {method.name: _handler(servicer, method) for method in servicer.descriptor.methods}


def _handler(servicer: Described, method: MethodDescriptor) -> grpc.RpcMethodHandler:
    kind = (
        grpc.stream_stream_rpc_method_handler
        if method.client_streaming
        else grpc.unary_unary_rpc_method_handler
    )
    return kind(
        getattr(servicer, method.name),
        request_deserializer=_parser(GetMessageClass(method.input_type)),
        response_serializer=GetMessageClass(method.output_type).SerializeToString,
    )


def _parser(message: Any) -> Callable[[bytes], Message | Malformed]:
    def parse(data: bytes) -> Message | Malformed:
        try:
            parsed: Message = message.FromString(data)
        except DecodeError as error:
            return Malformed(str(error).strip(), message.DESCRIPTOR.full_name)
        return parsed

    return parse
