"""What a handler is told of its caller by gRPC, of a call without a socket."""

from collections.abc import Sequence
from typing import Any

import grpc
from grpc.aio import EOF


class AbortedError(Exception):
    """The handler ended a stream with a status."""


class CallContext:
    """The part of ``grpc.aio.ServicerContext`` that the handlers use."""

    def __init__(
        self, seconds: float | None, metadata: Sequence[tuple[str, str]], messages: list[Any]
    ) -> None:
        """The call has ``seconds`` left, or no deadline; ``messages`` are what a stream brings."""
        self.code = grpc.StatusCode.OK
        self.details = ""
        self.written: list[Any] = []
        """Replies of a stream."""
        self._seconds = seconds
        self._metadata = metadata
        self._messages = messages

    def time_remaining(self) -> float | None:
        """Seconds until the deadline."""
        return self._seconds

    def peer(self) -> str:
        """Who calls."""
        return "ipv4:127.0.0.1:1"

    def invocation_metadata(self) -> Sequence[tuple[str, str]]:
        """What came beside the request."""
        return self._metadata

    def set_code(self, code: grpc.StatusCode) -> None:
        """The status."""
        self.code = code

    def set_details(self, details: str) -> None:
        """Its reason."""
        self.details = details

    def set_trailing_metadata(self, metadata: Sequence[tuple[str, str | bytes]]) -> None:
        """Beside the status."""

    async def read(self) -> Any:
        """The stream's next message."""
        return self._messages.pop(0) if self._messages else EOF

    async def write(self, reply: Any) -> None:
        """A reply on the stream."""
        self.written.append(reply)

    async def abort(self, code: grpc.StatusCode, details: str) -> None:
        """End the stream."""
        self.code, self.details = code, details
        raise AbortedError
