"""What a server is found to serve, from servers that tell more and less."""

import asyncio
from typing import Any

import grpc
import pytest

from strop.bench.client import Client
from strop.bench.discovery import discover
from strop.bench.served import Served
from strop.errors import InputError, StropError
from strop.proto import open_inference_pb2 as pb
from strop.proto import open_inference_pb2_grpc as pb_grpc
from strop.tasks import TASKS

TASK = TASKS["regression"]


class Metadata(pb_grpc.GRPCInferenceServiceServicer):
    """A server of the protocol's core that takes pairs and says no task."""

    def __init__(self, datatype: str = "BYTES") -> None:
        self._datatype = datatype

    async def ModelMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802
        tensor = pb.ModelMetadataResponse.TensorMetadata
        inputs = [tensor(name=name, datatype=self._datatype, shape=[-1]) for name in ("left", "right")]
        return pb.ModelMetadataResponse(name=request.name, inputs=inputs)


class Index(Metadata):
    """The same with Triton's extensions, serving some models for one task."""

    def __init__(self, models: tuple[str, ...], task: str) -> None:
        super().__init__()
        self._models = models
        self._task = task

    async def RepositoryIndex(self, request: Any, context: Any) -> Any:  # noqa: N802
        model = pb.RepositoryIndexResponse.ModelIndex
        return pb.RepositoryIndexResponse(models=[model(name=name) for name in self._models])

    async def ModelConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        parameters = {"task": pb.ModelParameter(string_value=self._task)} if self._task else {}
        return pb.ModelConfigResponse(config=pb.ModelConfig(parameters=parameters))


def found(servicer: Metadata, model: str = "", task: str | None = None) -> Served:
    async def scene() -> Served:
        server = grpc.aio.server()
        pb_grpc.add_GRPCInferenceServiceServicer_to_server(servicer, server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            async with Client(f"127.0.0.1:{port}") as client:
                return await discover(client, model, task)
        finally:
            await server.stop(None)

    return asyncio.run(scene())


def test_a_server_tells_its_model_its_task_and_what_it_takes() -> None:
    assert found(Index(("mine",), "regression")) == Served("mine", TASK, ("left", "right"))
    assert found(Index(("a", "b"), "regression"), model="b").name == "b"


class Only(Metadata):
    """A server that tells its only model to whoever names none, and its index to nobody."""

    async def ModelMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802
        told = await super().ModelMetadata(request, context)
        told.name = request.name or "mine"
        return told

    async def RepositoryIndex(self, request: Any, context: Any) -> Any:  # noqa: N802
        await context.abort(grpc.StatusCode.INTERNAL, "this is an admin call")


def test_an_only_model_is_found_without_an_admin_call() -> None:
    assert found(Only(), task="regression").name == "mine"


def test_what_a_server_does_not_tell_is_given() -> None:
    assert found(Metadata(), "mine", "regression") == Served("mine", TASK, ("left", "right"))
    assert found(Index(("mine",), ""), task="regression").task is TASK


@pytest.mark.parametrize(
    ("servicer", "options", "complaint"),
    [
        (Metadata(), {}, "doesn't say which model it serves; give --model"),
        (Metadata(), {"model": "mine"}, "doesn't say what 'mine' is for; give --task"),
        (Metadata("FP32"), {"model": "a"}, "'a' takes left FP32, right FP32; only a model of one or two"),
        (Index(("a", "b"), "regression"), {}, "serves a, b; give --model"),
        (Index(("a",), "mind-reading"), {}, "'a' is for mind-reading, and this Strop knows"),
        (Index(("a",), "regression"), {"task": "regresion"}, "--task regresion is not known; give one of"),
        (
            Index(("a",), "regression"),
            {"task": "text-classification"},
            "--task text-classification: 'a' is for regression; leave the option out",
        ),
    ],
)
def test_what_is_missing_or_wrong_is_named(
    servicer: Metadata, options: dict[str, str], complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint):
        found(servicer, **options)


def test_a_server_without_a_model_is_not_ready() -> None:
    with pytest.raises(StropError, match="has no model that is ready"):
        found(Index((), "regression"))
