"""The gRPC server that people write first: one text a call, computed in a thread, no batches."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc

from strop.proto import open_inference_pb2, open_inference_pb2_grpc
from strop.proto.raw import unpack_bytes

from .order import Order

Score = Callable[[Sequence[str]], Sequence[tuple[str, float]]]


class Minimal(open_inference_pb2_grpc.GRPCInferenceServiceServicer):
    """ModelInfer of one text, with its label and score."""

    def __init__(self, score: Score, instances: int) -> None:
        self._score = score
        self._threads = ThreadPoolExecutor(instances)

    async def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802
        """See the Open Inference Protocol."""
        texts = [text.decode() for text in unpack_bytes(request.raw_input_contents[0])]
        loop = asyncio.get_running_loop()
        ((label, score),) = await loop.run_in_executor(self._threads, self._score, texts)
        reply = open_inference_pb2.ModelInferResponse(model_name=request.model_name)
        tensor = reply.outputs.add(name="label", datatype="BYTES", shape=[1])
        tensor.contents.bytes_contents.append(label.encode())
        tensor = reply.outputs.add(name="score", datatype="FP32", shape=[1])
        tensor.contents.fp32_contents.append(score)
        return reply


async def _serve(order: Order, score: Score) -> None:
    server = grpc.aio.server()
    servicer = Minimal(score, order.instances)
    open_inference_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(servicer, server)
    server.add_insecure_port(f"127.0.0.1:{order.port}")
    await server.start()
    await server.wait_for_termination()


def serve(order: Order, score: Score) -> None:
    """Serve until killed; ``score`` gets a list of one text, from as many threads as instances."""
    asyncio.run(_serve(order, score))
