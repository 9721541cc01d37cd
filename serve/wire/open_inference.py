"""The Open Inference Protocol's service: texts or token ids in, labels and probabilities out."""

from collections.abc import AsyncIterator

import grpc
from grpc.aio import ServicerContext as Context

from strop import __version__
from strop.proto import open_inference_pb2 as pb
from strop.proto import open_inference_pb2_grpc as pb_grpc

from ..errors import RequestError
from ..inference.model import Model
from ..inference.pipeline import Pipeline
from .calls import Calls, counted, seconds_left
from .describe import configuration, metadata, statistics
from .infer_reply import ReplyWriter
from .infer_request import RequestReader, read_outputs
from .stream import Stream
from .token_input import TokenRules

EXTENSIONS = (
    "classification",
    "model_configuration",
    "model_repository",
    "parameters",
    "schedule_policy",
    "statistics",
)
"""Triton's names of what is implemented beyond the protocol's core."""

FINAL = "triton_final_response"
"""The parameter by which Triton's clients know that a streamed request has no more replies."""


class OneBundleError(RequestError):
    """A model was to be loaded or unloaded."""

    code = grpc.StatusCode.UNIMPLEMENTED


class OpenInference(pb_grpc.GRPCInferenceServiceServicer):
    """``inference.GRPCInferenceService`` on one model."""

    descriptor = pb.DESCRIPTOR.services_by_name["GRPCInferenceService"]
    service = descriptor.full_name

    def __init__(self, model: Model, pipeline: Pipeline, calls: Calls, max_texts: int) -> None:
        """Take requests of at most ``max_texts`` texts."""
        self.calls = calls
        self._model = model
        self._pipeline = pipeline
        encoder = model.encoder
        self._rules = TokenRules(encoder.vocabulary_size, encoder.max_tokens, model.layout.pad_token_id)
        takes_tokens = not (model.pairs or model.task.reads_offsets)
        self._reader = RequestReader(self._rules if takes_tokens else None, max_texts, pairs=model.pairs)
        self._writer = ReplyWriter(model.task, model.labels, model.variant)

    @counted
    async def ServerLive(  # noqa: N802
        self, request: pb.ServerLiveRequest, context: Context
    ) -> pb.ServerLiveResponse:
        """True: it answers."""
        return pb.ServerLiveResponse(live=True)

    @counted
    async def ServerReady(  # noqa: N802
        self, request: pb.ServerReadyRequest, context: Context
    ) -> pb.ServerReadyResponse:
        """True until the server drains."""
        return pb.ServerReadyResponse(ready=self._pipeline.ready)

    @counted
    async def ModelReady(  # noqa: N802
        self, request: pb.ModelReadyRequest, context: Context
    ) -> pb.ModelReadyResponse:
        """True for the served model until the server drains; false for any other."""
        known = request.name == self._model.name and request.version in ("", self._model.version)
        return pb.ModelReadyResponse(ready=known and self._pipeline.ready)

    @counted
    async def ServerMetadata(  # noqa: N802
        self, request: pb.ServerMetadataRequest, context: Context
    ) -> pb.ServerMetadataResponse:
        """The server's name, version and extensions."""
        return pb.ServerMetadataResponse(name="strop", version=__version__, extensions=EXTENSIONS)

    @counted
    async def ModelMetadata(  # noqa: N802
        self, request: pb.ModelMetadataRequest, context: Context
    ) -> pb.ModelMetadataResponse:
        """The model's version and tensors."""
        self._model.require(request.name, request.version)
        return metadata(self._model)

    @counted
    async def ModelConfig(  # noqa: N802
        self, request: pb.ModelConfigRequest, context: Context
    ) -> pb.ModelConfigResponse:
        """The model's tensors and engines, as Triton's clients read them."""
        self._model.require(request.name, request.version)
        return pb.ModelConfigResponse(config=configuration(self._model, self._rules))

    @counted
    async def ModelStatistics(  # noqa: N802
        self, request: pb.ModelStatisticsRequest, context: Context
    ) -> pb.ModelStatisticsResponse:
        """Counts and durations since this process started."""
        self._model.require(request.name or self._model.name, request.version)
        return pb.ModelStatisticsResponse(model_stats=[statistics(self._model, self.calls.statistics)])

    @counted
    async def RepositoryIndex(  # noqa: N802
        self, request: pb.RepositoryIndexRequest, context: Context
    ) -> pb.RepositoryIndexResponse:
        """The one model; none if only ready ones are asked for while the server drains."""
        ready = self._pipeline.ready
        reply = pb.RepositoryIndexResponse()
        if ready or not request.ready:
            state, reason = ("READY", "") if ready else ("UNAVAILABLE", "the server is shutting down")
            reply.models.add(name=self._model.name, version=self._model.version, state=state, reason=reason)
        return reply

    @counted
    async def RepositoryModelLoad(  # noqa: N802
        self, request: pb.RepositoryModelLoadRequest, context: Context
    ) -> pb.RepositoryModelLoadResponse:
        """Refused."""
        raise OneBundleError("this server serves one bundle; start another one for another model")

    @counted
    async def RepositoryModelUnload(  # noqa: N802
        self, request: pb.RepositoryModelUnloadRequest, context: Context
    ) -> pb.RepositoryModelUnloadResponse:
        """Refused."""
        raise OneBundleError("this server serves one bundle until it ends; stop it instead")

    @counted
    async def ModelInfer(  # noqa: N802
        self, request: pb.ModelInferRequest, context: Context
    ) -> pb.ModelInferResponse:
        """Scores of the texts in ``text`` or the tokens in ``input_ids``, within the call's deadline."""
        reply = pb.ModelInferResponse()
        await self._infer(request, context, reply)
        return reply

    async def ModelStreamInfer(  # noqa: N802
        self, requests: AsyncIterator[pb.ModelInferRequest], context: Context
    ) -> None:
        """ModelInfer for each message, answered in order."""

        async def answer(request: pb.ModelInferRequest) -> pb.ModelStreamInferResponse:
            reply = pb.ModelStreamInferResponse()
            await self._infer(request, context, reply.infer_response)
            reply.infer_response.parameters[FINAL].bool_param = True
            return reply

        await Stream(self, "ModelStreamInfer", context, answer, _failed, in_order=True).run()

    async def _infer(
        self, request: pb.ModelInferRequest, context: Context, reply: pb.ModelInferResponse
    ) -> None:
        self._model.require(request.model_name, request.model_version)
        outputs = read_outputs(request, self._model.task)
        query = self._reader.query(request, seconds_left(context), context.peer())
        answer = await self._pipeline.answer(query)
        reply.model_name = self._model.name
        reply.model_version = self._model.version
        reply.id = request.id
        self._writer.write(reply, answer, outputs, raw=bool(request.raw_input_contents))


def _failed(
    request: pb.ModelInferRequest | None, code: grpc.StatusCode, message: str
) -> pb.ModelStreamInferResponse:
    """Triton's form of a failure has no place for the code."""
    reply = pb.ModelStreamInferResponse(error_message=message)
    if request is not None:
        reply.infer_response.id = request.id
    reply.infer_response.parameters[FINAL].bool_param = True
    return reply
