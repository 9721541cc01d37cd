"""The APIs of many requests over one call."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import grpc

from strop.proto import open_inference_pb2, strop_pb2

from .columns import Text
from .protocols import OpenInferenceWire, Reply, TypedWire, Wire

STATUS_NAMES: dict[int, str] = {code.value[0]: code.name for code in grpc.StatusCode}


@dataclass(frozen=True)
class StreamReply:
    """What one message of a stream says."""

    id: str
    """That of the request it answers."""
    status: str
    """``OK``, or how the request would have failed alone; ``UNKNOWN`` where the API doesn't tell."""
    detail: str
    """The server's message, where it failed."""


class StreamWire(Wire, Protocol):
    """An API of many requests over one call."""

    def tag(self, request: bytes, identity: str) -> bytes:
        """A request from ``encode``, with the id that its reply will carry."""

    def read_message(self, reply: bytes) -> StreamReply:
        """Whose reply it is and how the request ended; ``decode`` reads the answer in it."""


class TypedStreamWire(TypedWire):
    """ClassifyStream of strop.v1, for models that Classify asks."""

    @property
    def method(self) -> str:
        """See ``Wire``."""
        return "/strop.v1.Strop/ClassifyStream"

    def encode(self, texts: Sequence[Text], top_k: int | None = None) -> bytes:
        """See ``Wire``."""
        request = strop_pb2.ClassifyStreamRequest(request=self.request(texts, top_k))
        serialised: bytes = request.SerializeToString()
        return serialised

    def decode(self, reply: bytes) -> Reply:
        """See ``Wire``."""
        return self.read(strop_pb2.ClassifyStreamResponse.FromString(reply).response)

    def tag(self, request: bytes, identity: str) -> bytes:
        """See ``StreamWire``; serialised messages laid end to end are one message."""
        tagged: bytes = request + strop_pb2.ClassifyStreamRequest(id=identity).SerializeToString()
        return tagged

    def read_message(self, reply: bytes) -> StreamReply:
        """See ``StreamWire``."""
        message = strop_pb2.ClassifyStreamResponse.FromString(reply)
        if message.HasField("response"):
            return StreamReply(message.id, "OK", "")
        failure = message.failure
        return StreamReply(message.id, STATUS_NAMES.get(failure.code, "UNKNOWN"), failure.message)


class OpenInferenceStreamWire(OpenInferenceWire):
    """ModelStreamInfer, Triton's addition to the Open Inference Protocol."""

    method = "/inference.GRPCInferenceService/ModelStreamInfer"

    def decode(self, reply: bytes) -> Reply:
        """See ``Wire``."""
        return self.read(open_inference_pb2.ModelStreamInferResponse.FromString(reply).infer_response)

    def tag(self, request: bytes, identity: str) -> bytes:
        """See ``StreamWire``; serialised messages laid end to end are one message."""
        tagged: bytes = request + open_inference_pb2.ModelInferRequest(id=identity).SerializeToString()
        return tagged

    def read_message(self, reply: bytes) -> StreamReply:
        """See ``StreamWire``."""
        message = open_inference_pb2.ModelStreamInferResponse.FromString(reply)
        failed = message.error_message
        return StreamReply(message.infer_response.id, "UNKNOWN" if failed else "OK", failed)
