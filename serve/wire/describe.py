"""The model in the Open Inference Protocol's terms: metadata, configuration, statistics."""

from collections.abc import Sequence

from strop.proto import open_inference_pb2 as pb

from ..inference.model import Model
from ..observe.statistics import Statistics, Total
from .infer_request import PAIR, TEXT
from .token_input import IDS, MASK, TokenRules

PLATFORM = "onnxruntime_onnx"
BACKEND = "onnxruntime"
DATA_TYPES = {"BYTES": pb.TYPE_STRING, "FP32": pb.TYPE_FP32}


def metadata(model: Model, versions: Sequence[str]) -> pb.ModelMetadataResponse:
    """The model's tensors, and all versions that are served.

    Token ids are an input that a request may send instead of the text. Clients that make up data
    send every input they are told of, so the configuration's parameters tell of it.
    """
    tensor = pb.ModelMetadataResponse.TensorMetadata
    return pb.ModelMetadataResponse(
        name=model.name,
        versions=versions,
        platform=PLATFORM,
        inputs=[tensor(name=name, datatype="BYTES", shape=[-1]) for name in _inputs(model)],
        outputs=[
            tensor(name=name, datatype=datatype, shape=_shape(model, name))
            for name, datatype in model.task.tensors.items()
        ],
    )


def configuration(model: Model, rules: TokenRules) -> pb.ModelConfig:
    """The same as Triton's model configuration."""
    kind = pb.ModelInstanceGroup.KIND_CPU if "CPU" in model.provider else pb.ModelInstanceGroup.KIND_GPU
    facts = {
        "variant": model.variant,
        "provider": model.provider,
        **{f"not_{name}": reason for name, reason in model.passed_over.items()},
        "batch_tokens": model.batch_tokens,
        "task": model.task.name,
        "token_input": f"{IDS} INT64 or INT32 [n, tokens], {MASK} the same or BOOL; instead of {TEXT}",
        "max_tokens": rules.max_tokens,
        "vocabulary_size": rules.vocabulary_size,
        "pad_token_id": rules.pad_token_id,
    }
    if model.task.pooling is not None:
        facts["pooling"] = model.task.pooling
    if model.mask is not None:
        facts["mask_token"] = model.mask.name
    if model.upgrade is not None:
        facts["engine_upgrade"] = model.upgrade.status
    return pb.ModelConfig(
        name=model.name,
        platform=PLATFORM,
        backend=BACKEND,
        max_batch_size=0,
        input=[pb.ModelInput(name=name, data_type=pb.TYPE_STRING, dims=[-1]) for name in _inputs(model)],
        output=[
            pb.ModelOutput(name=name, data_type=DATA_TYPES[datatype], dims=_shape(model, name))
            for name, datatype in model.task.tensors.items()
        ],
        instance_group=[pb.ModelInstanceGroup(name=model.variant, count=len(model.instances), kind=kind)],
        parameters={name: pb.ModelParameter(string_value=str(value)) for name, value in facts.items()},
    )


def statistics(model: Model, counted: Statistics) -> pb.ModelStatistics:
    """The counters as Triton names them."""
    return pb.ModelStatistics(
        name=model.name,
        version=model.version,
        last_inference=round(counted.last_answer * 1e3),
        inference_count=counted.texts,
        execution_count=sum(total.count for total in counted.batches.values()),
        inference_stats=pb.InferStatistics(
            success=_duration(counted.success),
            fail=_duration(counted.fail),
            queue=_duration(counted.queue),
            compute_input=_duration(counted.tokenise),
            compute_infer=_duration(counted.compute),
            compute_output=_duration(counted.deliver),
        ),
        batch_stats=[
            pb.InferBatchStatistics(batch_size=texts, compute_infer=_duration(total))
            for texts, total in sorted(counted.batches.items())
        ],
    )


def _duration(total: Total) -> pb.StatisticDuration:
    return pb.StatisticDuration(count=total.count, ns=max(0, total.ns))


def _inputs(model: Model) -> tuple[str, ...]:
    return (TEXT, PAIR) if model.pairs else (TEXT,)


def _shape(model: Model, output: str) -> list[int]:
    return [-1, model.width] if output in model.task.wide else [-1]
