"""Streams and parameters over real gRPC, in front of a pipeline that answers when the test says so."""

import asyncio
import queue
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import grpc
import numpy as np
import pytest

from model_control import Unchanged
from strop.proto import open_inference_pb2 as oip
from strop.proto import open_inference_pb2_grpc as oip_grpc
from strop.proto import strop_pb2 as pb
from strop.proto import strop_pb2_grpc as pb_grpc
from strop.proto.raw import pack_bytes
from strop.serve.config import ServeConfig
from strop.serve.core import Answer, Priority, Query, Timings
from strop.serve.doors.admission import Admission
from strop.serve.doors.sizes import Sizes
from strop.serve.errors import QueueFullError
from strop.serve.inference.model import Model
from strop.serve.observe.metrics import Metrics
from strop.serve.repository.catalogue import Catalogue
from strop.serve.repository.deployed import Deployed
from strop.serve.repository.finder import Finder
from strop.serve.wire.calls import Calls
from strop.serve.wire.open_inference import OpenInference
from strop.serve.wire.registration import register
from strop.serve.wire.stream import UNDER_WAY
from strop.serve.wire.typed import Typed


class ScriptedPipeline:
    """Answers a query once the test lets its first text go, and refuses the text "full"."""

    def __init__(self, model: Model) -> None:
        self.queries: list[Query] = []
        self.cancelled: list[str] = []
        self._model = model
        self._open = False
        self._gates: dict[str, asyncio.Event] = {}

    def let(self, text: str) -> None:
        """Answer the queries with this text."""
        self._gates.setdefault(text, asyncio.Event()).set()

    def let_all(self) -> None:
        self._open = True
        for gate in self._gates.values():
            gate.set()

    async def answer(self, query: Query) -> Answer:
        self.queries.append(query)
        text = query.texts[0]
        if text == "full":
            raise QueueFullError("the queue is full", 0.5)
        try:
            if not self._open:
                await self._gates.setdefault(text, asyncio.Event()).wait()
        except asyncio.CancelledError:
            self.cancelled.append(text)
            raise
        encoded = self._model.encoder.encode(query.texts)
        rows = np.full((len(encoded), 3), 1 / 3, np.float32)
        return Answer(rows, encoded, Timings(0.001, 0.002, 0.003, 0.007))


@asynccontextmanager
async def place(model: Model, config: ServeConfig) -> AsyncIterator[SimpleNamespace]:
    metrics = Metrics()
    calls, pipeline = Calls(metrics), ScriptedPipeline(model)
    server = grpc.aio.server()
    catalogue = Catalogue([Deployed(model, pipeline, metrics.of(model.name, model.version))])
    finder = Finder(catalogue, Unchanged())
    admission = Admission(Sizes(texts=8))
    register(OpenInference(catalogue, finder, Unchanged(), calls, admission), server)
    register(Typed(finder, calls, admission), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        try:
            yield SimpleNamespace(
                channel=channel,
                oip=oip_grpc.GRPCInferenceServiceStub(channel),
                strop=pb_grpc.StropStub(channel),
                pipeline=pipeline,
                calls=calls,
                count=lambda method, code: metrics.registry.get_sample_value(
                    "strop_request_seconds_count",
                    {"service": SERVICES[method], "method": method, "code": code},
                ),
            )
        finally:
            pipeline.let_all()
            await server.stop(None)


SERVICES = {"ModelStreamInfer": "inference.GRPCInferenceService", "ClassifyStream": "strop.v1.Strop"}
Play = Callable[[Callable[[SimpleNamespace], Coroutine[Any, Any, None]]], None]


@pytest.fixture(scope="module")
def play(tiny_bundle: Path) -> Play:
    """Runs a scenario against services of its own."""
    config = ServeConfig(tiny_bundle)
    model = Model.load(tiny_bundle, config)

    def run(scenario: Callable[[SimpleNamespace], Coroutine[Any, Any, None]]) -> None:
        async def main() -> None:
            async with asyncio.timeout(60), place(model, config) as here:
                await scenario(here)

        asyncio.run(main())

    return run


async def until(condition: Callable[[], Any]) -> None:
    while not condition():
        await asyncio.sleep(0.002)


def infer(text: str, **parameters: int) -> oip.ModelInferRequest:
    request = oip.ModelInferRequest(
        model_name="tiny", id=text, raw_input_contents=[pack_bytes([text.encode()])]
    )
    request.inputs.add(name="text", datatype="BYTES", shape=[1])
    for name, value in parameters.items():
        request.parameters[name].int64_param = value
    return request


def classify(text: str, **fields: Any) -> pb.ClassifyStreamRequest:
    asked = pb.ClassifyRequest(texts=[text], priority=fields.pop("priority", 0))
    return pb.ClassifyStreamRequest(id=text, request=asked, **fields)


def test_model_stream_infer_answers_in_the_order_of_the_requests(play: Play) -> None:
    async def scenario(here: SimpleNamespace) -> None:
        stream = here.oip.ModelStreamInfer()
        for text in ("first", "second", "third"):
            await stream.write(infer(text))
        await stream.done_writing()
        here.pipeline.let("third")
        here.pipeline.let("second")
        await until(lambda: here.count("ModelStreamInfer", "OK") == 2)
        here.pipeline.let("first")
        replies = [reply async for reply in stream]
        assert [reply.infer_response.id for reply in replies] == ["first", "second", "third"]
        assert all(reply.infer_response.parameters["triton_final_response"].bool_param for reply in replies)
        assert await stream.code() == grpc.StatusCode.OK

    play(scenario)


def test_classify_stream_answers_as_the_requests_are_done(play: Play) -> None:
    async def scenario(here: SimpleNamespace) -> None:
        stream = here.strop.ClassifyStream()
        for text in ("first", "second"):
            await stream.write(classify(text))
        here.pipeline.let("second")
        assert (await stream.read()).id == "second"
        here.pipeline.let("first")
        assert (await stream.read()).id == "first"
        await stream.done_writing()
        assert await stream.read() is grpc.aio.EOF

    play(scenario)


def test_a_failed_request_leaves_the_stream_and_the_others_as_they_are(play: Play) -> None:
    async def scenario(here: SimpleNamespace) -> None:
        here.pipeline.let_all()
        stream = here.oip.ModelStreamInfer()
        wrong = infer("wrong")
        wrong.model_name = "huge"
        for request in (wrong, infer("full"), infer("good")):
            await stream.write(request)
        first, second, third = [await stream.read() for _ in range(3)]
        assert first.error_message == "model 'huge' is not served here; ask for 'tiny'"
        assert (first.infer_response.id, list(first.infer_response.outputs)) == ("wrong", [])
        assert second.error_message == "the queue is full; retry in 500 ms"
        assert (third.error_message, third.infer_response.id) == ("", "good")
        for code in ("NOT_FOUND", "RESOURCE_EXHAUSTED", "OK"):
            assert here.count("ModelStreamInfer", code) == 1
        stream.cancel()

    play(scenario)


def test_a_failed_classification_tells_its_status_code(play: Play) -> None:
    async def scenario(here: SimpleNamespace) -> None:
        here.pipeline.let_all()
        stream = here.strop.ClassifyStream()
        for request in (classify("wrong", priority=9), classify("full"), classify("good")):
            await stream.write(request)
        replies = {reply.id: reply for reply in [await stream.read() for _ in range(3)]}
        assert replies["wrong"].failure.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
        assert "priority is 9" in replies["wrong"].failure.message
        assert replies["full"].failure.code == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]
        assert len(replies["good"].response.results) == 1
        stream.cancel()

    play(scenario)


def test_bytes_that_are_no_message_are_refused_and_the_stream_goes_on(play: Play) -> None:
    async def scenario(here: SimpleNamespace) -> None:
        here.pipeline.let_all()
        stream = here.channel.stream_stream(
            "/inference.GRPCInferenceService/ModelStreamInfer",
            response_deserializer=oip.ModelStreamInferResponse.FromString,
        )()
        await stream.write(b"\xff\xff\xff")
        assert "the request can't be parsed" in (await stream.read()).error_message
        await stream.write(infer("good").SerializeToString())
        assert (await stream.read()).infer_response.id == "good"
        stream.cancel()
        unary = here.channel.unary_unary("/strop.v1.Strop/Classify")
        with pytest.raises(grpc.aio.AioRpcError, match="the request can't be parsed") as caught:
            await unary(b"\xff\xff\xff")
        assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT

    play(scenario)


@pytest.mark.parametrize("method", SERVICES)
def test_a_cancelled_stream_cancels_everything_under_way(play: Play, method: str) -> None:
    async def scenario(here: SimpleNamespace) -> None:
        typed = method == "ClassifyStream"
        stream = here.strop.ClassifyStream() if typed else here.oip.ModelStreamInfer()
        for text in ("first", "second"):
            await stream.write((classify if typed else infer)(text))
        await until(lambda: len(here.pipeline.queries) == 2)
        stream.cancel()
        await until(lambda: len(here.pipeline.cancelled) == 2)
        await until(lambda: here.calls.in_flight == 0)
        assert here.count(method, "CANCELLED") == 2

    play(scenario)


def test_a_stream_takes_no_more_than_it_may_have_under_way(play: Play) -> None:
    async def scenario(here: SimpleNamespace) -> None:
        stream = here.oip.ModelStreamInfer()
        texts = [str(number) for number in range(UNDER_WAY + 20)]

        async def send() -> None:
            for text in texts:
                await stream.write(infer(text))
            await stream.done_writing()

        sending = asyncio.create_task(send())
        await until(lambda: len(here.pipeline.queries) == UNDER_WAY)
        await here.oip.ServerLive(oip.ServerLiveRequest())
        assert here.calls.in_flight == UNDER_WAY
        here.pipeline.let_all()
        assert [reply.infer_response.id async for reply in stream] == texts
        await sending

    play(scenario)


def test_a_server_that_goes_down_finishes_what_a_stream_has_under_way(play: Play) -> None:
    async def scenario(here: SimpleNamespace) -> None:
        stream = here.strop.ClassifyStream()
        await stream.write(classify("under way"))
        await until(lambda: here.calls.in_flight == 1)
        here.calls.closing.set()
        here.pipeline.let("under way")
        assert (await stream.read()).id == "under way"
        with pytest.raises(grpc.aio.AioRpcError, match="the server is shutting down") as caught:
            await stream.read()
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE

    play(scenario)


def test_a_stream_ends_with_the_server_process_and_does_not_hold_it_up(
    start_server: Callable[..., Any], tiny_bundle: Path
) -> None:
    server = start_server(tiny_bundle)
    requests: queue.SimpleQueue[pb.ClassifyStreamRequest | None] = queue.SimpleQueue()
    with grpc.insecure_channel(server.address) as channel:
        replies = pb_grpc.StropStub(channel).ClassifyStream(iter(requests.get, None))
        requests.put(classify("good"))
        assert next(replies).id == "good"
        server.signal()
        with pytest.raises(grpc.RpcError) as caught:
            next(replies)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
        requests.put(None)
    assert server.exit_code() == 0, server.errors.read_text()


def test_priority_and_time_reach_the_pipeline(play: Play) -> None:
    async def scenario(here: SimpleNamespace) -> None:
        here.pipeline.let_all()
        for level in (0, 1, 2, 7):
            await here.oip.ModelInfer(infer("good", priority=level))
        for priority in (pb.PRIORITY_UNSPECIFIED, pb.PRIORITY_INTERACTIVE, pb.PRIORITY_BULK):
            await here.strop.Classify(pb.ClassifyRequest(texts=["good"], priority=priority))
        here_and_bulk = [query.priority for query in here.pipeline.queries]
        interactive, bulk = Priority.INTERACTIVE, Priority.BULK
        assert here_and_bulk == [interactive, interactive, bulk, bulk, interactive, interactive, bulk]
        assert all(query.client.startswith("ipv4:127.0.0.1:") for query in here.pipeline.queries)
        assert all(query.seconds == float("inf") for query in here.pipeline.queries)

        here.pipeline.queries.clear()
        await here.oip.ModelInfer(infer("good", timeout=5_000_000), timeout=600)
        await here.oip.ModelInfer(infer("good", timeout=5_000_000_000), timeout=600)
        await here.oip.ModelInfer(infer("good", timeout=0), timeout=600)
        stream = here.strop.ClassifyStream()
        await stream.write(classify("good", timeout_us=5_000_000))
        await stream.read()
        short, long, none, streamed = [query.seconds for query in here.pipeline.queries]
        assert short == streamed == 5.0
        # gRPC sends a deadline rounded up.
        assert 500 < long <= 606
        assert 500 < none <= 606
        stream.cancel()

    play(scenario)
