"""What can go wrong with one call, each with its gRPC status; see ``calls.py`` for the wire."""

from typing import ClassVar

import grpc

from strop.errors import StropError


class RequestError(StropError):
    """A call that ends without an answer; its message is written for the caller."""

    code: ClassVar[grpc.StatusCode]
    shed: ClassVar[str | None] = None
    """The reason under which the metrics count it as shed, for those that were never computed."""

    @property
    def trailing_metadata(self) -> tuple[tuple[str, str], ...]:
        """What is sent beside the status."""
        return ()


class InvalidArgumentError(RequestError):
    """The request itself is wrong; the message names the field, its value and the fix."""

    code = grpc.StatusCode.INVALID_ARGUMENT


class NotFoundError(RequestError):
    """No such model, or not that version of it."""

    code = grpc.StatusCode.NOT_FOUND


class QueueFullError(RequestError):
    """The queue's bound is reached; the work was never taken."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    shed = "queue_full"

    def __init__(self, message: str, retry_seconds: float) -> None:
        self.retry_milliseconds = max(1, round(retry_seconds * 1000))
        super().__init__(f"{message}; retry in {self.retry_milliseconds} ms")

    @property
    def trailing_metadata(self) -> tuple[tuple[str, str], ...]:
        """The pushback that gRPC clients with a retry policy obey (gRFC A6)."""
        return (("grpc-retry-pushback-ms", str(self.retry_milliseconds)),)


class DeadlineExceededError(RequestError):
    """The caller's deadline passed before its texts were computed."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED
    shed = "deadline"


class DrainingError(RequestError):
    """The server is shutting down and takes no new work."""

    code = grpc.StatusCode.UNAVAILABLE
    shed = "draining"


class EngineError(RequestError):
    """The engine failed on this text even alone; the cause is in the log, not in the message."""

    code = grpc.StatusCode.INTERNAL
