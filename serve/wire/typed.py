"""The typed service strop.v1.Strop: texts in; what the model's task makes of them out."""

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import grpc
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper
from grpc.aio import ServicerContext as Context

from strop.proto import strop_pb2 as pb
from strop.proto import strop_pb2_grpc as pb_grpc

from ..core import Priority, Query
from ..doors.admission import Admission
from ..doors.visit import client_of
from ..errors import InvalidArgumentError, RequestError
from ..feedback.corrections import Feedback
from ..repository.finder import Finder
from .answers import CALLS, AnyRequest
from .calls import Calls, counted, new_request_id, request_id, route_key, seconds_left
from .infer_reply import microseconds
from .stream import Stream

PRIORITIES = {
    pb.PRIORITY_UNSPECIFIED: Priority.INTERACTIVE,
    pb.PRIORITY_INTERACTIVE: Priority.INTERACTIVE,
    pb.PRIORITY_BULK: Priority.BULK,
}


TakeFeedback = Callable[[Feedback], Awaitable[None]]
"""Writes down what a caller says of an answer."""


class NothingKeptError(RequestError):
    """Feedback on answers that nobody remembers."""

    code = grpc.StatusCode.UNIMPLEMENTED


class Typed(pb_grpc.StropServicer):
    """``strop.v1.Strop`` on every model."""

    descriptor = pb.DESCRIPTOR.services_by_name["Strop"]
    service = descriptor.full_name

    def __init__(
        self,
        models: Finder,
        calls: Calls,
        admission: Admission,
        take_feedback: TakeFeedback | None = None,
    ) -> None:
        """``take_feedback`` is for a server that keeps answers."""
        self.calls = calls
        self._admission = admission
        self._take_feedback = take_feedback
        self._models = models

    @counted
    async def Classify(  # noqa: N802
        self, request: pb.ClassifyRequest, context: Context
    ) -> pb.ClassifyResponse:
        """Labels with scores for each text, within the call's deadline."""
        reply: pb.ClassifyResponse = await self._reply("Classify", request, context)
        return reply

    async def ClassifyStream(  # noqa: N802
        self, requests: AsyncIterator[pb.ClassifyStreamRequest], context: Context
    ) -> None:
        """Classify for each message, answered as it is done."""

        async def answer(message: pb.ClassifyStreamRequest) -> pb.ClassifyStreamResponse:
            seconds = seconds_left(context)
            if message.timeout_us:
                seconds = min(seconds, message.timeout_us / 1e6)
            named = message.id or new_request_id()
            response = await self._answer("Classify", message.request, seconds, context, named)
            return pb.ClassifyStreamResponse(id=message.id, response=response)

        await Stream(self, "ClassifyStream", context, answer, _failed, in_order=False).run()

    @counted
    async def Score(self, request: pb.ScoreRequest, context: Context) -> pb.ScoreResponse:  # noqa: N802
        """A number for each text or pair, within the call's deadline."""
        reply: pb.ScoreResponse = await self._reply("Score", request, context)
        return reply

    @counted
    async def Tag(self, request: pb.TagRequest, context: Context) -> pb.TagResponse:  # noqa: N802
        """The named stretches of each text, within the call's deadline."""
        reply: pb.TagResponse = await self._reply("Tag", request, context)
        return reply

    @counted
    async def Embed(self, request: pb.EmbedRequest, context: Context) -> pb.EmbedResponse:  # noqa: N802
        """A vector for each text, within the call's deadline."""
        reply: pb.EmbedResponse = await self._reply("Embed", request, context)
        return reply

    @counted
    async def Answer(self, request: pb.AnswerRequest, context: Context) -> pb.AnswerResponse:  # noqa: N802
        """Where the answer to each question stands in its context, within the call's deadline."""
        reply: pb.AnswerResponse = await self._reply("Answer", request, context)
        return reply

    @counted
    async def Fill(self, request: pb.FillRequest, context: Context) -> pb.FillResponse:  # noqa: N802
        """Words for the mask of each text, within the call's deadline."""
        reply: pb.FillResponse = await self._reply("Fill", request, context)
        return reply

    @counted
    async def Feedback(  # noqa: N802
        self, request: pb.FeedbackRequest, context: Context
    ) -> pb.FeedbackResponse:
        """What would have been right is written down, if answers are kept."""
        if self._take_feedback is None:
            raise NothingKeptError("this server keeps no answers; start it with --feedback FILE")
        await self._take_feedback(
            Feedback(
                request.request_id, request.text, request.labels, request.none_of_them, request.comment
            )
        )
        return pb.FeedbackResponse()

    async def _reply(self, name: str, request: AnyRequest, context: Context) -> Any:
        named = request_id("", context)
        return await self._answer(name, request, seconds_left(context), context, named)

    async def _answer(
        self, name: str, request: AnyRequest, seconds: float, context: Context, named: str
    ) -> Any:
        """The response of a call that the model's task must be for."""
        model_name = self._admission.name(request.model)
        deployed = await self._models.find(model_name, request.version, partial(route_key, context))
        with deployed.call():
            model = deployed.model
            if model.task.call != name:
                raise InvalidArgumentError(
                    f"model {model.name!r} is for {model.task.name}; call {model.task.call} instead of"
                    f" {name}"
                )
            _require_known("on_long", request.on_long, pb.OnLong)
            _require_known("priority", request.priority, pb.Priority)
            call = CALLS[name]
            query = Query(
                call.texts(model, request),
                seconds=seconds,
                priority=PRIORITIES[request.priority],
                client=client_of(context),
                refuse_long=request.on_long == pb.ON_LONG_REFUSE,
                request_id=named,
            )
            answer = await self._admission.answer(deployed, query)
        return call.response(
            model=model.name,
            version=model.version,
            variant=model.variant,
            results=call.results(model, request, answer),
            timings=pb.Timings(**microseconds(answer.timings)),
            request_id=named,
        )


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
