"""The Open Inference Protocol's service: texts in a BYTES tensor, labels and probabilities out."""

from grpc.aio import ServicerContext as Context

from strop import __version__
from strop.proto import open_inference_pb2 as pb
from strop.proto import open_inference_pb2_grpc as pb_grpc

from .calls import Calls, counted, seconds_left
from .core import Query
from .model import Model
from .pipeline import Pipeline
from .tensors import (
    INPUT,
    OUTPUTS,
    read_outputs,
    read_refuse_long,
    read_texts,
    write_outputs,
    write_parameters,
)


class OpenInference(pb_grpc.GRPCInferenceServiceServicer):
    """``inference.GRPCInferenceService`` on one model."""

    service = pb.DESCRIPTOR.services_by_name["GRPCInferenceService"].full_name

    def __init__(self, model: Model, pipeline: Pipeline, calls: Calls) -> None:
        self.calls = calls
        self._model = model
        self._pipeline = pipeline
        self._labels = [label.encode() for label in model.labels]

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
        """The server's name and version; it has no extensions."""
        return pb.ServerMetadataResponse(name="strop", version=__version__)

    @counted
    async def ModelMetadata(  # noqa: N802
        self, request: pb.ModelMetadataRequest, context: Context
    ) -> pb.ModelMetadataResponse:
        """The model's version and tensors."""
        self._model.require(request.name, request.version)
        tensor = pb.ModelMetadataResponse.TensorMetadata
        shapes = {"probabilities": [-1, len(self._labels)]}
        return pb.ModelMetadataResponse(
            name=self._model.name,
            versions=[self._model.version],
            platform="onnxruntime",
            inputs=[tensor(name=INPUT, datatype="BYTES", shape=[-1])],
            outputs=[
                tensor(name=name, datatype=datatype, shape=shapes.get(name, [-1]))
                for name, datatype in OUTPUTS.items()
            ],
        )

    @counted
    async def ModelInfer(  # noqa: N802
        self, request: pb.ModelInferRequest, context: Context
    ) -> pb.ModelInferResponse:
        """Scores of the texts in the input ``text``, within the call's deadline."""
        self._model.require(request.model_name, request.model_version)
        names = read_outputs(request)
        query = Query(
            read_texts(request),
            seconds=seconds_left(context),
            client=context.peer(),
            refuse_long=read_refuse_long(request),
        )
        answer = await self._pipeline.answer(query)
        reply = pb.ModelInferResponse(
            model_name=self._model.name, model_version=self._model.version, id=request.id
        )
        raw = bool(request.raw_input_contents)
        write_outputs(reply, names, answer.probabilities, self._labels, raw=raw)
        write_parameters(reply, self._model.variant, answer)
        return reply
