"""The Open Inference Protocol's service: texts or token ids in, labels and probabilities out."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Self
from weakref import WeakKeyDictionary

import grpc
from grpc.aio import ServicerContext as Context

from strop import __version__
from strop.proto import open_inference_pb2 as pb
from strop.proto import open_inference_pb2_grpc as pb_grpc

from ..doors.admission import Admission
from ..doors.sizes import Sizes
from ..doors.visit import client_of
from ..inference.model import Model
from ..repository.catalogue import Catalogue, State
from ..repository.deployed import Deployed
from ..repository.finder import Finder, ModelControl, Sticky, no_key
from .calls import Calls, counted, new_request_id, request_id, route_key, seconds_left
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


@dataclass(frozen=True)
class Tensors:
    """How requests to one model are read, and the replies written."""

    rules: TokenRules
    reader: RequestReader
    writer: ReplyWriter

    @classmethod
    def of(cls, model: Model, sizes: Sizes) -> Self:
        """Take requests of at most these sizes."""
        encoder = model.encoder
        rules = TokenRules(encoder.vocabulary_size, encoder.max_tokens, model.layout.pad_token_id)
        takes_tokens = not (model.pairs or model.task.reads_offsets)
        reader = RequestReader(rules if takes_tokens else None, sizes, pairs=model.pairs)
        return cls(rules, reader, ReplyWriter(model.task, model.labels, model.variant))


class OpenInference(pb_grpc.GRPCInferenceServiceServicer):
    """``inference.GRPCInferenceService`` on every model."""

    descriptor = pb.DESCRIPTOR.services_by_name["GRPCInferenceService"]
    service = descriptor.full_name

    def __init__(
        self,
        catalogue: Catalogue,
        models: Finder,
        control: ModelControl,
        calls: Calls,
        admission: Admission,
    ) -> None:
        self.calls = calls
        self._catalogue = catalogue
        self._models = models
        self._control = control
        self._admission = admission
        self._tensors: WeakKeyDictionary[Deployed, Tensors] = WeakKeyDictionary()

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
        return pb.ServerReadyResponse(ready=self._catalogue.ready)

    @counted
    async def ModelReady(  # noqa: N802
        self, request: pb.ModelReadyRequest, context: Context
    ) -> pb.ModelReadyResponse:
        """True for a served model until the server drains; false for any other."""
        known = self._models.has(self._admission.name(request.name), request.version)
        return pb.ModelReadyResponse(ready=known and self._catalogue.ready)

    @counted
    async def ServerMetadata(  # noqa: N802
        self, request: pb.ServerMetadataRequest, context: Context
    ) -> pb.ServerMetadataResponse:
        """The server's name, version and extensions, and as ``provider:NAME`` what models run on."""
        providers = {one.model.provider for one in self._catalogue.deployed.values()}
        extensions = (*EXTENSIONS, *(f"provider:{name}" for name in sorted(providers)))
        return pb.ServerMetadataResponse(name="strop", version=__version__, extensions=extensions)

    @counted
    async def ModelMetadata(  # noqa: N802
        self, request: pb.ModelMetadataRequest, context: Context
    ) -> pb.ModelMetadataResponse:
        """The model's version and tensors."""
        model = (await self._find(request.name, request.version)).model
        return metadata(model, self._catalogue.versions(model.name))

    @counted
    async def ModelConfig(  # noqa: N802
        self, request: pb.ModelConfigRequest, context: Context
    ) -> pb.ModelConfigResponse:
        """The model's tensors and engines, as Triton's clients read them."""
        deployed = await self._find(request.name, request.version)
        rules = self._tensors_of(deployed).rules
        return pb.ModelConfigResponse(config=configuration(deployed.model, rules))

    @counted
    async def ModelStatistics(  # noqa: N802
        self, request: pb.ModelStatisticsRequest, context: Context
    ) -> pb.ModelStatisticsResponse:
        """Counts and durations since this process started."""
        asked = self._catalogue.matching(request.name, request.version)
        return pb.ModelStatisticsResponse(
            model_stats=[statistics(one.model, one.metrics.statistics) for one in asked]
        )

    @counted
    async def RepositoryIndex(  # noqa: N802
        self, request: pb.RepositoryIndexRequest, context: Context
    ) -> pb.RepositoryIndexResponse:
        """Every version that is known; none is ready while the server drains."""
        reply = pb.RepositoryIndexResponse()
        for key, state, reason in self._catalogue.index():
            if not self._catalogue.ready:
                state, reason = State.UNAVAILABLE, "the server is shutting down"
            if state is State.READY or not request.ready:
                reply.models.add(name=key.name, version=key.version, state=state, reason=reason)
        return reply

    @counted
    async def RepositoryModelLoad(  # noqa: N802
        self, request: pb.RepositoryModelLoadRequest, context: Context
    ) -> pb.RepositoryModelLoadResponse:
        """Load the versions that the server's options choose; it returns once they answer."""
        await self._control.load(request.model_name)
        return pb.RepositoryModelLoadResponse()

    @counted
    async def RepositoryModelUnload(  # noqa: N802
        self, request: pb.RepositoryModelUnloadRequest, context: Context
    ) -> pb.RepositoryModelUnloadResponse:
        """Unload a model; it returns once its calls are finished."""
        await self._control.unload(request.model_name)
        return pb.RepositoryModelUnloadResponse()

    @counted
    async def ModelInfer(  # noqa: N802
        self, request: pb.ModelInferRequest, context: Context
    ) -> pb.ModelInferResponse:
        """Scores of the texts in ``text`` or the tokens in ``input_ids``, within the call's deadline."""
        reply = pb.ModelInferResponse()
        await self._infer(request, context, reply, request_id(request.id, context))
        return reply

    async def ModelStreamInfer(  # noqa: N802
        self, requests: AsyncIterator[pb.ModelInferRequest], context: Context
    ) -> None:
        """ModelInfer for each message, answered in order."""

        async def answer(request: pb.ModelInferRequest) -> pb.ModelStreamInferResponse:
            reply = pb.ModelStreamInferResponse()
            named = request.id or new_request_id()
            await self._infer(request, context, reply.infer_response, named)
            reply.infer_response.parameters[FINAL].bool_param = True
            return reply

        await Stream(self, "ModelStreamInfer", context, answer, _failed, in_order=True).run()

    async def _infer(
        self, request: pb.ModelInferRequest, context: Context, reply: pb.ModelInferResponse, named: str
    ) -> None:
        sticky = partial(route_key, context)
        deployed = await self._find(request.model_name, request.model_version, sticky)
        with deployed.call():
            tensors, model = self._tensors_of(deployed), deployed.model
            outputs = read_outputs(request, model.task)
            query = tensors.reader.query(request, seconds_left(context), client_of(context), named)
            answer = await self._admission.answer(deployed, query)
        reply.model_name = model.name
        reply.model_version = model.version
        reply.id = request.id
        reply.parameters["request_id"].string_param = named
        tensors.writer.write(reply, answer, outputs, raw=bool(request.raw_input_contents))

    async def _find(self, name: str, version: str, sticky: Sticky = no_key) -> Deployed:
        return await self._models.find(self._admission.name(name), version, sticky)

    def _tensors_of(self, deployed: Deployed) -> Tensors:
        if (tensors := self._tensors.get(deployed)) is None:
            tensors = self._tensors[deployed] = Tensors.of(deployed.model, self._admission.sizes)
        return tensors


def _failed(
    request: pb.ModelInferRequest | None, code: grpc.StatusCode, message: str
) -> pb.ModelStreamInferResponse:
    """Triton's form of a failure has no place for the code."""
    reply = pb.ModelStreamInferResponse(error_message=message)
    if request is not None:
        reply.infer_response.id = request.id
    reply.infer_response.parameters[FINAL].bool_param = True
    return reply
