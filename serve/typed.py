"""The typed service strop.v1.Strop: texts in, labels with scores out."""

import numpy as np
from grpc.aio import ServicerContext as Context

from strop.proto import strop_pb2 as pb
from strop.proto import strop_pb2_grpc as pb_grpc

from .calls import Calls, counted, seconds_left
from .core import Answer, Query
from .errors import InvalidArgumentError
from .model import Model
from .pipeline import Pipeline
from .tensors import microseconds


class Typed(pb_grpc.StropServicer):
    """``strop.v1.Strop`` on one model."""

    service = pb.DESCRIPTOR.services_by_name["Strop"].full_name

    def __init__(self, model: Model, pipeline: Pipeline, calls: Calls) -> None:
        self.calls = calls
        self._model = model
        self._pipeline = pipeline

    @counted
    async def Classify(  # noqa: N802
        self, request: pb.ClassifyRequest, context: Context
    ) -> pb.ClassifyResponse:
        """Labels with scores for each text, within the call's deadline."""
        self._model.require(request.model or self._model.name)
        if request.on_long not in pb.OnLong.values():
            raise InvalidArgumentError(
                f"on_long is {request.on_long}; send one of: {', '.join(pb.OnLong.keys())}"
            )
        query = Query(
            list(request.texts),
            seconds=seconds_left(context),
            client=context.peer(),
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
        # Stable on the negated scores: equal ones keep the labels' own order.
        order = np.argsort(-answer.probabilities, axis=1, kind="stable")[:, :top_k]
        rows = zip(order.tolist(), answer.probabilities.tolist(), answer.encoded, strict=True)
        return [
            pb.Classification(
                labels=[pb.ScoredLabel(label=labels[i], score=scores[i]) for i in indices],
                tokens=len(encoded.ids),
                truncated=encoded.truncated,
            )
            for indices, scores, encoded in rows
        ]
