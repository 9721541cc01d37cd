"""The typed service strop.v1.Strop: texts in, labels with scores out."""

from collections.abc import AsyncIterator

import grpc
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from grpc.aio import ServicerContext as Context

from strop.proto import strop_pb2 as pb
from strop.proto import strop_pb2_grpc as pb_grpc

from ..core import Answer, Priority, Query
from ..errors import InvalidArgumentError
from ..inference.model import Model
from ..inference.pipeline import Pipeline
from .calls import Calls, counted, seconds_left
from .infer_reply import best_first, microseconds
from .stream import Stream

PRIORITIES = {
    pb.PRIORITY_UNSPECIFIED: Priority.INTERACTIVE,
    pb.PRIORITY_INTERACTIVE: Priority.INTERACTIVE,
    pb.PRIORITY_BULK: Priority.BULK,
}


class Typed(pb_grpc.StropServicer):
    """``strop.v1.Strop`` on one model."""

    descriptor = pb.DESCRIPTOR.services_by_name["Strop"]
    service = descriptor.full_name

    def __init__(self, model: Model, pipeline: Pipeline, calls: Calls) -> None:
        self.calls = calls
        self._model = model
        self._pipeline = pipeline

    @counted
    async def Classify(  # noqa: N802
        self, request: pb.ClassifyRequest, context: Context
    ) -> pb.ClassifyResponse:
        """Labels with scores for each text, within the call's deadline."""
        return await self._classify(request, seconds_left(context), context.peer())

    async def ClassifyStream(  # noqa: N802
        self, requests: AsyncIterator[pb.ClassifyStreamRequest], context: Context
    ) -> None:
        """Classify for each message, answered as it is done."""

        async def answer(message: pb.ClassifyStreamRequest) -> pb.ClassifyStreamResponse:
            seconds = seconds_left(context)
            if message.timeout_us:
                seconds = min(seconds, message.timeout_us / 1e6)
            response = await self._classify(message.request, seconds, context.peer())
            return pb.ClassifyStreamResponse(id=message.id, response=response)

        await Stream(self, "ClassifyStream", context, answer, _failed, in_order=False).run()

    async def _classify(
        self, request: pb.ClassifyRequest, seconds: float, client: str
    ) -> pb.ClassifyResponse:
        self._model.require(request.model or self._model.name)
        _require_known("on_long", request.on_long, pb.OnLong)
        _require_known("priority", request.priority, pb.Priority)
        query = Query(
            list(request.texts),
            seconds=seconds,
            priority=PRIORITIES[request.priority],
            client=client,
            refuse_long=request.on_long == pb.ON_LONG_REFUSE,
        )
        answer = await self._pipeline.answer(query)
        return pb.ClassifyResponse(
            model=self._model.name,
            version=self._model.version,
            variant=self._model.variant,
            results=self._results(answer, request.top_k or len(self._model.labels)),
            timings=pb.Timings(**microseconds(answer.timings)),
        )

    def _results(self, answer: Answer, top_k: int) -> list[pb.Classification]:
        labels = self._model.labels
        return [
            pb.Classification(
                labels=[
                    pb.ScoredLabel(label=labels[i], score=scores[i]) for i in best_first(scores, top_k)
                ],
                tokens=len(encoded.ids),
                truncated=encoded.truncated,
            )
            for scores, encoded in zip(answer.probabilities.tolist(), answer.encoded, strict=True)
        ]


def _require_known(name: str, value: int, enum: EnumTypeWrapper) -> None:
    # By number, because this is asked twice a call and values() makes a list.
    if value not in enum.DESCRIPTOR.values_by_number:
        raise InvalidArgumentError(f"{name} is {value}; send one of: {', '.join(enum.keys())}")


def _failed(
    message: pb.ClassifyStreamRequest | None, code: grpc.StatusCode, reason: str
) -> pb.ClassifyStreamResponse:
    number, _ = code.value
    return pb.ClassifyStreamResponse(
        id=message.id if message is not None else "", failure=pb.Failure(code=number, message=reason)
    )
