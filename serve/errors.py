"""What can go wrong with one call, each with its gRPC status; see ``wire/calls.py`` for the wire."""

from typing import ClassVar

import grpc
from google.rpc import error_details_pb2, status_pb2

from strop.errors import StropError

Metadata = tuple[tuple[str, str | bytes], ...]


class RequestError(StropError):
    """A call that ends without an answer; its message is written for the caller."""

    code: ClassVar[grpc.StatusCode]
    shed: ClassVar[str | None] = None
    """The reason under which the metrics count it as shed, for those that were never computed."""
    remark: ClassVar[str] = "refused; its caller was told why"
    """What the console says of it: unlike the message it never quotes what the caller sent."""

    @property
    def trailing_metadata(self) -> Metadata:
        """What is sent beside the status."""
        return ()


class InvalidArgumentError(RequestError):
    """The request itself is wrong; the message names the field, its value and the fix."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    remark = "the request is wrong; its caller was told what in it is"


class UnauthenticatedError(RequestError):
    """Nobody knows who asks."""

    code = grpc.StatusCode.UNAUTHENTICATED


class PermissionDeniedError(RequestError):
    """Who asks is known, and may not ask that, or not here."""

    code = grpc.StatusCode.PERMISSION_DENIED


class NotFoundError(RequestError):
    """No such model, or not that version of it."""

    code = grpc.StatusCode.NOT_FOUND
    remark = "no such model or version is served"


class ForgottenError(NotFoundError):
    """No such answer is remembered, or no longer."""

    remark = "feedback to an answer that is not remembered"


class OverloadError(RequestError):
    """Refused at the door, before any work was spent on it; says when to try again."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED

    def __init__(self, message: str, retry_seconds: float) -> None:
        self.retry_milliseconds = max(1, round(retry_seconds * 1000))
        super().__init__(f"{message}; retry in {self.retry_milliseconds} ms")

    @property
    def trailing_metadata(self) -> Metadata:
        """The wait as gRPC clients with a retry policy obey it (gRFC A6), and as RetryInfo."""
        details = status_pb2.Status(code=self.code.value[0], message=str(self))
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(self.retry_milliseconds)
        details.details.add().Pack(retry)
        return (
            ("grpc-retry-pushback-ms", str(self.retry_milliseconds)),
            ("grpc-status-details-bin", details.SerializeToString()),
        )


class QueueFullError(OverloadError):
    """The queue's bound is reached."""

    shed = "queue_full"
    remark = "the queue is full"


class QuotaError(OverloadError):
    """The caller's key has used up what it may."""

    shed = "quota"


class LateError(OverloadError):
    """What waits already would keep the call waiting until after its deadline."""

    shed = "late"
    remark = "what waits already is too much for the call's deadline"

    def __init__(self, wait: float, left: float) -> None:
        super().__init__(
            f"the answer would take {wait * 1e3:.0f} ms and the deadline is in {left * 1e3:.0f} ms",
            wait - left,
        )


class DeadlineExceededError(RequestError):
    """The caller's deadline passed before its texts were computed."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED
    shed = "deadline"
    remark = "the deadline passed before the texts were computed"


class DrainingError(RequestError):
    """The server is shutting down and takes no new work."""

    code = grpc.StatusCode.UNAVAILABLE
    shed = "draining"
    remark = "the server is shutting down"


class LoadingError(RequestError):
    """The model is on its way."""

    code = grpc.StatusCode.UNAVAILABLE
    remark = "the model is being loaded"


class ModelControlError(RequestError):
    """A model was to be loaded or unloaded, and this server's models aren't changed so."""

    code = grpc.StatusCode.UNIMPLEMENTED
    remark = "models aren't changed by request here"


class UnfitModelError(RequestError):
    """A model was to be loaded and failed its checks; the one before it stays."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    remark = "a model failed its checks; the list of models says why"


class EngineError(RequestError):
    """The engine failed on this text even alone; the cause is in the log, not in the message."""

    code = grpc.StatusCode.INTERNAL
    remark = "the model failed on the call's texts; the log has the cause"
