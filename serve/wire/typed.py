"""The typed service strop.v1.Strop: texts in; labels, scores or named stretches out, by the task."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
import numpy as np
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from grpc.aio import ServicerContext as Context

from strop.export.bundle import Encoded, Text
from strop.proto import strop_pb2 as pb
from strop.proto import strop_pb2_grpc as pb_grpc
from strop.tasks import Floats
from strop.tasks.token_classification import TokenClassification

from ..core import Answer, Priority, Query
from ..errors import InvalidArgumentError
from ..inference.model import Model
from ..inference.pipeline import Pipeline
from .calls import Calls, counted, seconds_left
from .infer_reply import best_first, microseconds
from .infer_request import pair_up
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

    @counted
    async def Score(self, request: pb.ScoreRequest, context: Context) -> pb.ScoreResponse:  # noqa: N802
        """A number for each text or pair, within the call's deadline."""
        answer = await self._answer("Score", request, seconds_left(context), context.peer())
        results = [
            pb.TextScore(score=score, **_facts(encoded))
            for (score,), encoded in zip(answer.outputs, answer.encoded, strict=True)
        ]
        return pb.ScoreResponse(results=results, **self._about(answer))

    @counted
    async def Tag(self, request: pb.TagRequest, context: Context) -> pb.TagResponse:  # noqa: N802
        """The named stretches of each text, within the call's deadline."""
        answer = await self._answer("Tag", request, seconds_left(context), context.peer())
        found = zip(request.texts, answer.outputs, answer.encoded, strict=True)
        results = [
            pb.Tagging(entities=self._entities(text, output, encoded), **_facts(encoded))
            for text, output, encoded in found
        ]
        return pb.TagResponse(results=results, **self._about(answer))

    async def _classify(
        self, request: pb.ClassifyRequest, seconds: float, client: str
    ) -> pb.ClassifyResponse:
        answer = await self._answer("Classify", request, seconds, client)
        results = self._results(answer, request.top_k or len(self._model.labels))
        return pb.ClassifyResponse(results=results, **self._about(answer))

    async def _answer(
        self,
        call: str,
        request: pb.ClassifyRequest | pb.ScoreRequest | pb.TagRequest,
        seconds: float,
        client: str,
    ) -> Answer:
        """The model's answer to the texts of a call that its task must be for."""
        model = self._model
        model.require(request.model or model.name)
        if model.task.call != call:
            raise InvalidArgumentError(
                f"model {model.name!r} is for {model.task.name}; call {model.task.call} instead of {call}"
            )
        _require_known("on_long", request.on_long, pb.OnLong)
        _require_known("priority", request.priority, pb.Priority)
        query = Query(
            self._texts(request),
            seconds=seconds,
            priority=PRIORITIES[request.priority],
            client=client,
            refuse_long=request.on_long == pb.ON_LONG_REFUSE,
        )
        return await self._pipeline.answer(query)

    def _texts(self, request: pb.ClassifyRequest | pb.ScoreRequest | pb.TagRequest) -> Sequence[Text]:
        texts = list(request.texts)
        if isinstance(request, pb.TagRequest):
            return texts
        if not self._model.pairs:
            if request.pairs:
                raise InvalidArgumentError(
                    f"pairs has {len(request.pairs)} texts, but {self._model.name!r} judges one text; send"
                    " none"
                )
            return texts
        return pair_up(texts, request.pairs)

    def _about(self, answer: Answer) -> dict[str, Any]:
        """The fields that every reply has beside its results."""
        return {
            "model": self._model.name,
            "version": self._model.version,
            "variant": self._model.variant,
            "timings": pb.Timings(**microseconds(answer.timings)),
        }

    def _entities(self, text: str, output: Floats, encoded: Encoded) -> list[pb.Entity]:
        assert isinstance(self._model.task, TokenClassification)  # noqa: S101
        found = self._model.task.entities(output, encoded.offsets, self._model.labels)
        return [pb.Entity(text=text[one.start : one.stop], **one._asdict()) for one in found]

    def _results(self, answer: Answer, top_k: int) -> list[pb.Classification]:
        labels = self._model.labels
        return [
            pb.Classification(
                labels=[
                    pb.ScoredLabel(label=labels[i], score=scores[i]) for i in best_first(scores, top_k)
                ],
                **_facts(encoded),
            )
            for scores, encoded in zip(np.asarray(answer.outputs).tolist(), answer.encoded, strict=True)
        ]


def _facts(encoded: Encoded) -> dict[str, Any]:
    """The fields that every result has beside its answer."""
    return {"tokens": len(encoded.ids), "truncated": encoded.truncated}


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
