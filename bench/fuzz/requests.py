"""Requests: from bytes to a status, through the server's own parsers, handlers, queue and engine."""

import asyncio
import itertools
import logging
import random
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import atheris
import grpc
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from strop.proto import open_inference_pb2 as oip
from strop.proto import strop_pb2 as typed
from strop.proto.raw import pack_bytes
from strop.serve.config import ServeConfig
from strop.serve.inprocess import handlers

from .context import AbortedError, CallContext
from .messages import Mutator
from .methods import HEADER, METHODS, metadata_of, method_of, seconds_of
from .verdict import FindingError, judge

HANG_SECONDS = 20.0
WORDS = (
    *("", "text", "text_pair", "input_ids", "attention_mask", "label", "score", "probabilities", "logits"),
    *("BYTES", "INT64", "INT32", "BOOL", "FP32", "on_long", "refuse", "truncate", "priority", "timeout"),
    *(
        "classification",
        "shared_memory_region",
        "0",
        "1",
        "2",
        "3",
        "18446744073709551616",
        "٣",
        "good film",
    ),
    *("\0", "\ufeff", "\u2028", "e\u0301", "\U0001f600", "[MASK]", "[CLS]", "a " * 300),
)


class Requests:
    """Every method of both services on the models of one bundle or repository."""

    def __init__(self, bundle: Path, loop: asyncio.AbstractEventLoop) -> None:
        """Load the models on ``loop``, which then runs only while an input is tried."""
        self._loop = loop
        self._config = ServeConfig(str(bundle))
        self._server: AbstractAsyncContextManager[Mapping[str, grpc.RpcMethodHandler]] = handlers(
            self._config
        )
        self._handlers = loop.run_until_complete(self._server.__aenter__())
        self._models = self._served()
        self._failures = _Failures()
        logging.getLogger("strop").addHandler(self._failures)

    def seeds(self) -> Iterator[bytes]:
        """Each method by its name and version, and the requests that the documentation shows."""
        for number, method in enumerate(METHODS.values()):
            for message in _examples(GetMessageClass(method.input_type), self._models):
                yield bytes([number, 0, 0]) + message.SerializeToString()

    def mutate(self, data: bytes, size: int, seed: int) -> bytes:
        """Half of the time fields are changed, else bytes."""
        chance = random.Random(seed)
        if len(data) < HEADER or chance.random() < 0.3:
            return bytes(atheris.Mutate(data, size))
        message = GetMessageClass(METHODS[method_of(data)].input_type)()
        try:
            message.ParseFromString(data[HEADER:])
        except DecodeError:
            return bytes(atheris.Mutate(data, size))
        words = (*WORDS, *itertools.chain.from_iterable(self._models))
        mutator = Mutator(chance, words, lambda old: bytes(atheris.Mutate(old, max(2 * len(old), 32))))
        try:
            mutator.mutate(message)
            if chance.random() < 0.8:
                _address(message, *chance.choice(self._models))
            changed: bytes = message.SerializeToString()
        except ValueError:  # a value that its field doesn't take, such as an oversized enum
            changed = data[HEADER:]
        whole: bytes = data[:HEADER] + changed
        return whole[:size]

    def run(self, data: bytes) -> str:
        """Send one request; a stream gets the message twice."""
        if len(data) < HEADER:
            return "too short"
        self._failures.last = ""
        path = method_of(data)
        handler = self._handlers[path]
        request = handler.request_deserializer(data[HEADER:])
        messages = [request, handler.request_deserializer(data[HEADER:])]
        context = CallContext(seconds_of(data), metadata_of(data), messages)
        try:
            self._loop.run_until_complete(asyncio.wait_for(_call(handler, request, context), HANG_SECONDS))
            return f"{path.rpartition('/')[2]} {judge(context.code, context.details)}"
        except TimeoutError:
            raise FindingError(f"{path} hangs") from None
        except FindingError as finding:
            raise FindingError(f"{path}: {finding} {self._failures.last}") from None
        except Exception as error:
            raise FindingError(f"{path} raises {error!r}") from error

    def close(self) -> None:
        """Retire the models."""
        self._loop.run_until_complete(self._server.__aexit__(None, None, None))

    def _served(self) -> list[tuple[str, str]]:
        handler = self._handlers["inference.GRPCInferenceService/RepositoryIndex"]
        request, context = oip.RepositoryIndexRequest(), CallContext(None, (), [])
        reply = self._loop.run_until_complete(handler.unary_unary(request, context))
        return [(model.name, model.version) for model in reply.models]


async def _call(handler: grpc.RpcMethodHandler, request: Any, context: CallContext) -> None:
    if handler.stream_stream is None:
        reply = await handler.unary_unary(request, context)
        if reply is not None:
            handler.response_serializer(reply)
        return
    try:
        await handler.stream_stream(None, context)  # the messages are read from the context
    except AbortedError:
        return
    if len(context.written) != 2:
        raise FindingError(f"{len(context.written)} replies for 2 messages")
    for reply in context.written:
        handler.response_serializer(reply)
        _judge_reply(reply)


def _judge_reply(reply: Any) -> None:
    """A failure that stands in a stream's reply."""
    if isinstance(reply, oip.ModelStreamInferResponse):
        if "internal error" in reply.error_message or bool(reply.error_message) == bool(
            reply.infer_response.outputs
        ):
            raise FindingError(f"INTERNAL: {reply.error_message}")
    elif reply.HasField("failure"):
        number = reply.failure.code
        judge(next(code for code in grpc.StatusCode if code.value[0] == number), reply.failure.message)


def _address(message: Message, model: str, version: str) -> None:
    """Name a model that is served: else most would get no further than that."""
    if "request" in message.DESCRIPTOR.fields_by_name:
        message = message.request
    for fields, value in (
        (("model_name", "model", "name"), model),
        (("model_version", "version"), version),
    ):
        for field in fields:
            if field in message.DESCRIPTOR.fields_by_name:
                setattr(message, field, value)


def _examples(kind: type[Message], models: list[tuple[str, str]]) -> Iterator[Message]:
    yield kind()
    texts = ["good film", "", "not a very bad film " * 9]
    for name, version in models:
        if kind is oip.ModelInferRequest:
            yield from _infer_requests(name, version, texts)
        elif kind is typed.ClassifyStreamRequest:
            asked = typed.ClassifyRequest(model=name, texts=texts)
            yield typed.ClassifyStreamRequest(id="1", timeout_us=10**7, request=asked)
        elif "texts" in kind.DESCRIPTOR.fields_by_name:
            yield kind(model=name, version=version, texts=texts)
        elif "pairs" in kind.DESCRIPTOR.fields_by_name:
            yield kind(model=name)
        elif "model_name" in kind.DESCRIPTOR.fields_by_name:
            yield kind(model_name=name)
        elif "name" in kind.DESCRIPTOR.fields_by_name:
            yield kind(name=name, version=version)


def _infer_requests(name: str, version: str, texts: list[str]) -> Iterator[oip.ModelInferRequest]:
    tensor, parameter = oip.ModelInferRequest.InferInputTensor, oip.InferParameter
    elements = [text.encode() for text in texts]
    shape = [len(texts)]
    text = tensor(name="text", datatype="BYTES", shape=shape)
    raw = oip.ModelInferRequest(model_name=name, model_version=version, id="7", inputs=[text])
    raw.raw_input_contents.append(pack_bytes(elements))
    yield raw
    contents = oip.InferTensorContents(bytes_contents=elements)
    wishes = {"on_long": parameter(string_param="refuse"), "timeout": parameter(int64_param=10**7)}
    wishes["priority"] = parameter(uint64_param=2)
    asked = oip.ModelInferRequest.InferRequestedOutputTensor(
        name="probabilities", parameters={"classification": parameter(int64_param=2)}
    )
    inputs = [tensor(name="text", datatype="BYTES", shape=[*shape, 1], contents=contents)]
    yield oip.ModelInferRequest(model_name=name, parameters=wishes, inputs=inputs, outputs=[asked])
    yield oip.ModelInferRequest(
        model_name=name,
        inputs=[inputs[0], tensor(name="text_pair", datatype="BYTES", shape=shape, contents=contents)],
    )
    ids = oip.InferTensorContents(int64_contents=[2, 4, 6, 3, 0, 2, 3, 0, 0, 0])
    mask = oip.InferTensorContents(bool_contents=[True] * 4 + [False] + [True] * 2 + [False] * 3)
    tokens = [tensor(name="input_ids", datatype="INT64", shape=[2, 5], contents=ids)]
    tokens.append(tensor(name="attention_mask", datatype="BOOL", shape=[2, 5], contents=mask))
    yield oip.ModelInferRequest(model_name=name, inputs=tokens)
    yield oip.ModelInferRequest(
        model_name=name,
        inputs=[tensor(name="input_ids", datatype="INT32", shape=[1, 3])],
        raw_input_contents=[b"\2\0\0\0\4\0\0\0\3\0\0\0"],
    )


class _Failures(logging.Handler):
    """Keeps the cause of the last INTERNAL, which the caller isn't told."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.last = repr(record.exc_info[1]) if record.exc_info else record.getMessage()
