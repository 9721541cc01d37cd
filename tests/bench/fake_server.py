"""A server of both APIs with known service times: ``python fake_server.py [SERVICE_SECONDS [PORT]]``.

A text's label is its first word. One that starts with ``fail`` is refused, one that starts with
``hang`` is never answered. Prints its port, and ``loaded`` when the second call comes.
"""

import asyncio
import sys
from typing import Any

import grpc
import uvloop

from strop.proto import open_inference_pb2, open_inference_pb2_grpc, strop_pb2, strop_pb2_grpc

MODEL = "fake"


class Typed(strop_pb2_grpc.StropServicer):
    """Classify after ``seconds``; its times are made up: 1, 2 and 3 milliseconds."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._calls = 0

    async def Classify(self, request: Any, context: Any) -> Any:  # noqa: N802
        self._calls += 1
        if self._calls == 2:
            say("loaded")
        if request.model not in ("", MODEL):
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no model {request.model!r}")
        if request.texts[0].startswith("fail"):
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "the queue is full")
        if self._seconds:
            await asyncio.sleep(3600 if request.texts[0].startswith("hang") else self._seconds)
        return strop_pb2.ClassifyResponse(
            model=MODEL,
            version="1",
            variant="int8",
            results=[
                strop_pb2.Classification(
                    labels=[
                        strop_pb2.ScoredLabel(label=text.partition(" ")[0], score=0.75),
                        strop_pb2.ScoredLabel(label="other", score=0.25),
                    ][: request.top_k or 2]
                )
                for text in request.texts
            ],
            timings=strop_pb2.Timings(tokenise_us=1000, queue_us=2000, compute_us=3000, total_us=6000),
        )


class OpenInference(open_inference_pb2_grpc.GRPCInferenceServiceServicer):
    """ModelInfer at once, with typed outputs as other servers may send them."""

    async def RepositoryIndex(self, request: Any, context: Any) -> Any:  # noqa: N802
        reply = open_inference_pb2.RepositoryIndexResponse()
        reply.models.add(name=MODEL, version="1", state="READY")
        return reply

    async def ModelMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802
        if request.name != MODEL:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no model {request.name!r}")
        reply = open_inference_pb2.ModelMetadataResponse(name=MODEL)
        reply.inputs.add(name="text", datatype="BYTES", shape=[-1])
        return reply

    async def ModelConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        reply = open_inference_pb2.ModelConfigResponse()
        reply.config.parameters["task"].string_value = "text-classification"
        return reply

    async def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802
        if request.model_name != MODEL:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no model {request.model_name!r}")
        raw = request.raw_input_contents[0]
        texts, place = [], 0
        while place < len(raw):
            stop = place + 4 + int.from_bytes(raw[place : place + 4], "little")
            texts.append(raw[place + 4 : stop])
            place = stop
        reply = open_inference_pb2.ModelInferResponse(model_name=MODEL, model_version="1")
        label = reply.outputs.add(name="label", datatype="BYTES", shape=[len(texts)])
        label.contents.bytes_contents.extend(text.partition(b" ")[0] for text in texts)
        score = reply.outputs.add(name="score", datatype="FP32", shape=[len(texts)])
        score.contents.fp32_contents.extend([0.75] * len(texts))
        return reply


def say(word: object) -> None:
    """Tell the test."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


async def main(seconds: float, port: int) -> None:
    """Serve until killed."""
    server = grpc.aio.server()
    strop_pb2_grpc.add_StropServicer_to_server(Typed(seconds), server)
    open_inference_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(OpenInference(), server)
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    say(port)
    await server.wait_for_termination()


if __name__ == "__main__":
    given = [float(word) for word in sys.argv[1:]]
    uvloop.run(main(given[0] if given else 0.0, int(given[1]) if len(given) > 1 else 0))
