"""Texts to request bytes and reply bytes to results, for both APIs; no sockets here."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass
from numpy.typing import NDArray

from strop.errors import StropError
from strop.proto import open_inference_pb2, strop_pb2
from strop.proto.raw import pack_bytes, unpack_bytes, unpack_fp32
from strop.tasks import Result

from .columns import Text
from .served import Served

MICROSECOND = 1e-6
STAGES = ("tokenise", "queue", "compute", "total")


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
    results: tuple[Result, ...]
    """One per text."""
    stages: Stages | None
    """``None`` where the server doesn't tell."""
    truncated: int = 0
    """Texts of which the model read the beginning alone, as far as the server tells."""


class Wire(Protocol):
    """How one model is asked through one API."""

    @property
    def method(self) -> str:
        """The full name of the API's method."""

    def encode(self, texts: Sequence[Text], top_k: int | None = None) -> bytes:
        """The request for ``texts``, serialised; ``top_k`` as ``Call.wishes`` takes it."""

    def decode(self, reply: bytes) -> Reply:
        """A serialised reply, read; use ``read_reply``, which checks it."""


class TypedWire:
    """strop.v1: a call for each task, the variant and the stage times in every reply."""

    service = strop_pb2.DESCRIPTOR.services_by_name["Strop"]

    def __init__(self, served: Served) -> None:
        self.call = served.call
        method = self.service.methods_by_name[self.call.name]
        self._model = served.name
        self._request: Any = GetMessageClass(method.input_type)
        self._response: Any = GetMessageClass(method.output_type)

    @property
    def method(self) -> str:
        """See ``Wire``."""
        return f"/{self.service.full_name}/{self.call.name}"

    def encode(self, texts: Sequence[Text], top_k: int | None = None) -> bytes:
        """See ``Wire``."""
        serialised: bytes = self.request(texts, top_k).SerializeToString()
        return serialised

    def decode(self, reply: bytes) -> Reply:
        """See ``Wire``."""
        return self.read(self._response.FromString(reply))

    def request(self, texts: Sequence[Text], top_k: int | None) -> Any:
        """The request's message."""
        columns = dict(zip(self.call.fields, zip(*texts, strict=True), strict=False))
        return self._request(model=self._model, **columns, **self.call.wishes(top_k))

    def read(self, message: Any) -> Reply:
        """A reply's message, read."""
        times = message.timings
        return Reply(
            message.model,
            message.version,
            message.variant,
            tuple(map(self.call.read, message.results)),
            Stages(*(getattr(times, f"{stage}_us") * MICROSECOND for stage in STAGES))
            if message.HasField("timings")
            else None,
            sum(result.truncated for result in message.results),
        )

    def with_priority(self, request: bytes, priority: str) -> bytes:
        """A request from ``encode`` with ``priority`` "interactive" or "bulk".

        Serialised messages laid end to end are one message.
        """
        value = strop_pb2.Priority.Value(f"PRIORITY_{priority.upper()}")
        whole: bytes = request + self._request(priority=value).SerializeToString()
        return whole


class OpenInferenceWire:
    """The Open Inference Protocol: BYTES inputs in, the tensors of the model's call out."""

    method = "/inference.GRPCInferenceService/ModelInfer"

    def __init__(self, served: Served) -> None:
        self._served = served
        self._call = served.call

    def encode(self, texts: Sequence[Text], top_k: int | None = None) -> bytes:
        """See ``Wire``."""
        request = open_inference_pb2.ModelInferRequest(model_name=self._served.name)
        self.add_inputs(request, texts)
        for name, classes in self.outputs(top_k).items():
            output = request.outputs.add(name=name)
            if classes:
                output.parameters["classification"].int64_param = classes
        serialised: bytes = request.SerializeToString()
        return serialised

    def add_inputs(self, request: open_inference_pb2.ModelInferRequest, texts: Sequence[Text]) -> None:
        """Put the texts into a request."""
        columns = list(zip(*texts, strict=True)) or [()] * len(self._served.inputs)
        for name, column in zip(self._served.inputs, columns, strict=True):
            request.inputs.add(name=name, datatype="BYTES", shape=[len(column)])
            request.raw_input_contents.append(pack_bytes(text.encode() for text in column))

    def outputs(self, top_k: int | None) -> Mapping[str, int]:
        """See ``Call``."""
        return self._call.outputs(top_k)

    def results(self, tensors: Mapping[str, NDArray[Any]]) -> Sequence[Result]:
        """See ``Call``."""
        return self._call.results(tensors)

    def decode(self, reply: bytes) -> Reply:
        """See ``Wire``; takes raw outputs and typed ones."""
        return self.read(open_inference_pb2.ModelInferResponse.FromString(reply))

    def read(self, message: open_inference_pb2.ModelInferResponse) -> Reply:
        """A reply's message, read."""
        raw = message.raw_output_contents
        tensors = {
            output.name: _tensor(output, raw[place] if raw else None)
            for place, output in enumerate(message.outputs)
        }
        parameters = message.parameters
        times = [f"{stage}_us" for stage in STAGES]
        return Reply(
            message.model_name,
            message.model_version,
            parameters["variant"].string_param if "variant" in parameters else "",
            tuple(self.results(tensors)),
            Stages(*(parameters[time].int64_param * MICROSECOND for time in times))
            if all(time in parameters for time in times)
            else None,
            parameters["truncated_texts"].int64_param if "truncated_texts" in parameters else 0,
        )


def _tensor(output: Any, raw: bytes | None) -> NDArray[Any]:
    """An output tensor in its shape: float32, or text in an array of objects."""
    values: Any
    if output.datatype == "FP32":
        values = output.contents.fp32_contents if raw is None else unpack_fp32(raw)
        return np.array(values, dtype=np.float32).reshape(output.shape)
    if output.datatype != "BYTES":
        raise ValueError(f"output {output.name!r} is {output.datatype}, not FP32 or BYTES")
    values = output.contents.bytes_contents if raw is None else unpack_bytes(raw)
    return np.array([value.decode() for value in values], dtype=object).reshape(output.shape)


def read_reply(wire: Wire, reply: bytes, texts: int) -> Reply:
    """Decode the reply to a call of ``texts`` texts; ``StropError`` if it isn't one."""
    try:
        read = wire.decode(reply)
    except (DecodeError, ValueError, KeyError, IndexError, TypeError) as error:
        raise StropError(f"the server sent a reply that can't be read: {error!r}") from error
    if len(read.results) != texts:
        raise StropError(f"the server sent {len(read.results)} results for {texts} texts")
    return read


WIRES: Mapping[str, Callable[[Served], Wire]] = {"typed": TypedWire, "open-inference": OpenInferenceWire}
"""The APIs by the names that the options give them."""
