"""Texts to request bytes and reply bytes to labels, for both APIs; no sockets here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import grpc
from google.protobuf.message import DecodeError

from strop.errors import StropError
from strop.proto import open_inference_pb2, strop_pb2
from strop.proto.raw import pack_bytes, unpack_bytes, unpack_fp32

MICROSECOND = 1e-6
STATUS_NAMES: dict[int, str] = {code.value[0]: code.name for code in grpc.StatusCode}


@dataclass(frozen=True)
class Stages:
    """Where the server spent a call's time, in seconds."""

    tokenise: float
    queue: float
    compute: float
    total: float


@dataclass(frozen=True)
class Reply:
    """What a server answered to one call."""

    model: str
    version: str
    variant: str
    """The compressed form of the model; empty where the protocol doesn't tell."""
    results: tuple[tuple[tuple[str, float], ...], ...]
    """One per text: (label, score), the best first."""
    stages: Stages | None
    """``None`` where the server doesn't tell."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The best label of each text."""
        return tuple(result[0][0] for result in self.results)


class Wire(Protocol):
    """One API: its method's full name, and how calls look on it."""

    method: str

    def encode(self, model: str, texts: Sequence[str], top_k: int = 1) -> bytes:
        """The request for ``texts``, serialised."""

    def decode(self, reply: bytes) -> Reply:
        """A serialised reply, read; use ``read_reply``, which checks it."""


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

    def read(self, reply: bytes) -> StreamReply:
        """Whose reply it is and how the request ended; ``decode`` reads the answer in it."""


class TypedWire:
    """strop.v1: labels with scores, the variant and the stage times in every reply."""

    method = "/strop.v1.Strop/Classify"

    def encode(self, model: str, texts: Sequence[str], top_k: int = 1) -> bytes:
        """See ``Wire``; ``top_k`` 0 asks for every label."""
        request = strop_pb2.ClassifyRequest(model=model, texts=texts, top_k=top_k)
        serialised: bytes = request.SerializeToString()
        return serialised

    def decode(self, reply: bytes) -> Reply:
        """See ``Wire``."""
        return self._read(strop_pb2.ClassifyResponse.FromString(reply))

    def _read(self, message: strop_pb2.ClassifyResponse) -> Reply:
        times = message.timings
        return Reply(
            message.model,
            message.version,
            message.variant,
            tuple(
                tuple((scored.label, scored.score) for scored in result.labels)
                for result in message.results
            ),
            Stages(
                times.tokenise_us * MICROSECOND,
                times.queue_us * MICROSECOND,
                times.compute_us * MICROSECOND,
                times.total_us * MICROSECOND,
            )
            if message.HasField("timings")
            else None,
        )


def with_priority(request: bytes, priority: str) -> bytes:
    """A ``TypedWire`` request with ``priority`` "interactive" or "bulk".

    Serialised messages laid end to end are one message.
    """
    value = strop_pb2.Priority.Value(f"PRIORITY_{priority.upper()}")
    whole: bytes = request + strop_pb2.ClassifyRequest(priority=value).SerializeToString()
    return whole


class TypedStreamWire(TypedWire):
    """ClassifyStream of strop.v1."""

    method = "/strop.v1.Strop/ClassifyStream"

    def encode(self, model: str, texts: Sequence[str], top_k: int = 1) -> bytes:
        """See ``Wire``."""
        request = strop_pb2.ClassifyRequest(model=model, texts=texts, top_k=top_k)
        serialised: bytes = strop_pb2.ClassifyStreamRequest(request=request).SerializeToString()
        return serialised

    def decode(self, reply: bytes) -> Reply:
        """See ``Wire``."""
        return self._read(strop_pb2.ClassifyStreamResponse.FromString(reply).response)

    def tag(self, request: bytes, identity: str) -> bytes:
        """See ``StreamWire``; serialised messages laid end to end are one message."""
        tagged: bytes = request + strop_pb2.ClassifyStreamRequest(id=identity).SerializeToString()
        return tagged

    def read(self, reply: bytes) -> StreamReply:
        """See ``StreamWire``."""
        message = strop_pb2.ClassifyStreamResponse.FromString(reply)
        if message.HasField("response"):
            return StreamReply(message.id, "OK", "")
        failure = message.failure
        return StreamReply(message.id, STATUS_NAMES.get(failure.code, "UNKNOWN"), failure.message)


class OpenInferenceWire:
    """The Open Inference Protocol: BYTES ``text`` in, BYTES ``label`` and FP32 ``score`` out."""

    method = "/inference.GRPCInferenceService/ModelInfer"

    def encode(self, model: str, texts: Sequence[str], top_k: int = 1) -> bytes:
        """See ``Wire``; only the best label can be asked for, so ``top_k`` has no effect."""
        request = open_inference_pb2.ModelInferRequest(model_name=model)
        request.inputs.add(name="text", datatype="BYTES", shape=[len(texts)])
        request.outputs.add(name="label")
        request.outputs.add(name="score")
        request.raw_input_contents.append(pack_bytes(text.encode() for text in texts))
        serialised: bytes = request.SerializeToString()
        return serialised

    def decode(self, reply: bytes) -> Reply:
        """See ``Wire``; takes raw outputs and typed ones."""
        return self._read(open_inference_pb2.ModelInferResponse.FromString(reply))

    def _read(self, message: open_inference_pb2.ModelInferResponse) -> Reply:
        raw = message.raw_output_contents
        place = {output.name: number for number, output in enumerate(message.outputs)}
        labels, scores = place["label"], place["score"]
        names = (
            [value.decode() for value in unpack_bytes(raw[labels])]
            if raw
            else [value.decode() for value in message.outputs[labels].contents.bytes_contents]
        )
        values = (
            unpack_fp32(raw[scores]).tolist()
            if raw
            else list(message.outputs[scores].contents.fp32_contents)
        )
        parameters = message.parameters
        times = [f"{stage}_us" for stage in ("tokenise", "queue", "compute", "total")]
        return Reply(
            message.model_name,
            message.model_version,
            parameters["variant"].string_param if "variant" in parameters else "",
            tuple(((name, value),) for name, value in zip(names, values, strict=True)),
            Stages(*(parameters[time].int64_param * MICROSECOND for time in times))
            if all(time in parameters for time in times)
            else None,
        )


class OpenInferenceStreamWire(OpenInferenceWire):
    """ModelStreamInfer, Triton's addition to the Open Inference Protocol."""

    method = "/inference.GRPCInferenceService/ModelStreamInfer"

    def decode(self, reply: bytes) -> Reply:
        """See ``Wire``."""
        return self._read(open_inference_pb2.ModelStreamInferResponse.FromString(reply).infer_response)

    def tag(self, request: bytes, identity: str) -> bytes:
        """See ``StreamWire``; serialised messages laid end to end are one message."""
        tagged: bytes = request + open_inference_pb2.ModelInferRequest(id=identity).SerializeToString()
        return tagged

    def read(self, reply: bytes) -> StreamReply:
        """See ``StreamWire``."""
        message = open_inference_pb2.ModelStreamInferResponse.FromString(reply)
        failed = message.error_message
        return StreamReply(message.infer_response.id, "UNKNOWN" if failed else "OK", failed)


def read_reply(wire: Wire, reply: bytes, texts: int) -> Reply:
    """Decode the reply to a call of ``texts`` texts; ``StropError`` if it isn't one."""
    try:
        read = wire.decode(reply)
    except (DecodeError, ValueError, KeyError, IndexError) as error:
        raise StropError(f"the server sent a reply that can't be read: {error!r}") from error
    if len(read.results) != texts or not all(read.results):
        raise StropError(f"the server sent {len(read.results)} results for {texts} texts")
    return read


WIRES: dict[str, Wire] = {"typed": TypedWire(), "open-inference": OpenInferenceWire()}
STREAM_WIRES: dict[str, StreamWire] = {
    "typed": TypedStreamWire(),
    "open-inference": OpenInferenceStreamWire(),
}
