"""Both services against a running server: the answers, and what they refuse."""

import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from strop.export.bundle import Bundle
from strop.proto import open_inference_pb2 as oip
from strop.proto import open_inference_pb2_grpc as oip_grpc
from strop.proto import strop_pb2 as typed
from strop.proto import strop_pb2_grpc as typed_grpc
from strop.proto.raw import unpack_bytes

TEXTS = ["good film", "", "very bad film", "not good", "a", "bad " * 28]
LABELS = ["négatif", "neutral", "positive"]

Change = Callable[[oip.ModelInferRequest], Any]


@pytest.fixture(scope="module")
def open_inference(channel: grpc.Channel) -> oip_grpc.GRPCInferenceServiceStub:
    return oip_grpc.GRPCInferenceServiceStub(channel)


@pytest.fixture(scope="module")
def strop(channel: grpc.Channel) -> typed_grpc.StropStub:
    return typed_grpc.StropStub(channel)


def typed_contents(texts: list[str], shape: list[int] | None = None) -> oip.ModelInferRequest:
    request = oip.ModelInferRequest(model_name="tiny")
    tensor = request.inputs.add(name="text", datatype="BYTES", shape=shape or [len(texts)])
    tensor.contents.bytes_contents.extend(text.encode() for text in texts)
    return request


def raw_contents(texts: list[str]) -> oip.ModelInferRequest:
    request = oip.ModelInferRequest(model_name="tiny")
    request.inputs.add(name="text", datatype="BYTES", shape=[len(texts), 1])
    blob = b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in texts)
    request.raw_input_contents.append(blob)
    return request


def fails(call: Callable[[Any], Any], request: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call(request, timeout=30)
    return caught.value.code(), caught.value.details()


def test_both_protocols_answer_the_same(
    open_inference: oip_grpc.GRPCInferenceServiceStub, strop: typed_grpc.StropStub
) -> None:
    reply = open_inference.ModelInfer(typed_contents(TEXTS))
    label, score, probabilities = reply.outputs
    assert [list(output.shape) for output in reply.outputs] == [[6], [6], [6, 3]]
    assert [output.datatype for output in reply.outputs] == ["BYTES", "FP32", "FP32"]
    table = np.array(probabilities.contents.fp32_contents, np.float32).reshape(6, 3)
    results = strop.Classify(typed.ClassifyRequest(texts=TEXTS)).results
    assert len(results) == 6
    for row, result in zip(table, results, strict=True):
        found = {one.label: np.float32(one.score) for one in result.labels}
        assert found == dict(zip(LABELS, row, strict=True))
    best = [result.labels[0] for result in results]
    assert [text.decode() for text in label.contents.bytes_contents] == [b.label for b in best]
    assert list(score.contents.fp32_contents) == [b.score for b in best]


def test_raw_contents_are_answered_raw_with_the_same_values(
    open_inference: oip_grpc.GRPCInferenceServiceStub,
) -> None:
    plain = open_inference.ModelInfer(typed_contents(TEXTS))
    raw = open_inference.ModelInfer(raw_contents(TEXTS))
    assert not any(output.HasField("contents") for output in raw.outputs)
    label, score, probabilities = raw.raw_output_contents
    names = plain.outputs[0].contents.bytes_contents
    assert label == b"".join(struct.pack("<I", len(name)) + name for name in names)
    assert score == struct.pack("<6f", *plain.outputs[1].contents.fp32_contents)
    assert probabilities == struct.pack("<18f", *plain.outputs[2].contents.fp32_contents)


def test_the_golden_examples_come_back_over_the_wire(
    open_inference: oip_grpc.GRPCInferenceServiceStub, tiny_bundle: Path
) -> None:
    for example in Bundle.open(tiny_bundle).golden():
        reply = open_inference.ModelInfer(typed_contents([example.text], [1, 1]))
        found = reply.outputs[2].contents.fp32_contents
        assert found == pytest.approx(example.output, abs=1e-6)


def test_only_the_outputs_asked_for_come_back_and_in_that_order(
    open_inference: oip_grpc.GRPCInferenceServiceStub,
) -> None:
    request = raw_contents(["good"])
    for name in ("probabilities", "label"):
        request.outputs.add(name=name)
    reply = open_inference.ModelInfer(request)
    assert [output.name for output in reply.outputs] == ["probabilities", "label"]
    assert [len(raw) for raw in reply.raw_output_contents] == [12, 4 + len(b"neutral")]


def test_a_reply_says_which_request_model_and_variant_it_is_of_and_where_the_time_went(
    open_inference: oip_grpc.GRPCInferenceServiceStub, strop: typed_grpc.StropStub
) -> None:
    request = typed_contents(["good"])
    request.id = "call 7"
    request.model_version = "3"
    reply = open_inference.ModelInfer(request)
    assert (reply.id, reply.model_name, reply.model_version) == ("call 7", "tiny", "3")
    assert reply.parameters["variant"].string_param == "fp32"
    stages = [reply.parameters[f"{name}_us"].int64_param for name in ("tokenise", "queue", "compute")]
    assert all(stage >= 0 for stage in stages)
    assert 0 < sum(stages) <= reply.parameters["total_us"].int64_param + 2
    response = strop.Classify(typed.ClassifyRequest(model="tiny", texts=["good"]))
    assert (response.model, response.version, response.variant) == ("tiny", "3", "fp32")
    timings = response.timings
    parts = timings.tokenise_us + timings.queue_us + timings.compute_us
    assert 0 < parts <= timings.total_us + 2


@pytest.mark.parametrize(("top_k", "count"), [(0, 3), (1, 1), (2, 2), (99, 3)])
def test_top_k_keeps_the_best_labels_first(strop: typed_grpc.StropStub, top_k: int, count: int) -> None:
    (result,) = strop.Classify(typed.ClassifyRequest(texts=["very good"], top_k=top_k)).results
    scores = [one.score for one in result.labels]
    assert len(scores) == count
    assert scores == sorted(scores, reverse=True)


def test_a_long_text_is_truncated_by_default_and_says_so(
    open_inference: oip_grpc.GRPCInferenceServiceStub, strop: typed_grpc.StropStub
) -> None:
    texts = ["good " * 100, "good"]
    long, short = strop.Classify(typed.ClassifyRequest(texts=texts)).results
    assert (long.tokens, long.truncated) == (32, True)
    assert (short.tokens, short.truncated) == (3, False)
    reply = open_inference.ModelInfer(typed_contents(texts))
    assert reply.parameters["truncated_texts"].int64_param == 1


def test_a_long_text_is_refused_on_request(
    open_inference: oip_grpc.GRPCInferenceServiceStub, strop: typed_grpc.StropStub
) -> None:
    texts = ["good", "good " * 100]
    asked = typed.ClassifyRequest(texts=texts, on_long=typed.ON_LONG_REFUSE)
    request = typed_contents(texts)
    request.parameters["on_long"].string_param = "refuse"
    for code, details in (fails(strop.Classify, asked), fails(open_inference.ModelInfer, request)):
        assert code == grpc.StatusCode.INVALID_ARGUMENT
        assert "text 1 is longer than the 32 tokens" in details
    assert strop.Classify(typed.ClassifyRequest(texts=["good " * 30], on_long=typed.ON_LONG_REFUSE)).results


def test_the_model_describes_itself(open_inference: oip_grpc.GRPCInferenceServiceStub) -> None:
    metadata = open_inference.ModelMetadata(oip.ModelMetadataRequest(name="tiny"))
    assert (metadata.name, list(metadata.versions)) == ("tiny", ["3"])
    assert metadata.platform == "onnxruntime_onnx"
    tensors = {
        tensor.name: (tensor.datatype, list(tensor.shape))
        for tensor in [*metadata.inputs, *metadata.outputs]
    }
    assert tensors == {
        "text": ("BYTES", [-1]),
        "label": ("BYTES", [-1]),
        "score": ("FP32", [-1]),
        "probabilities": ("FP32", [-1, 3]),
    }


def test_the_configuration_and_the_index_tell_the_same(
    open_inference: oip_grpc.GRPCInferenceServiceStub,
) -> None:
    config = open_inference.ModelConfig(oip.ModelConfigRequest(name="tiny")).config
    assert (config.name, config.platform, config.backend) == ("tiny", "onnxruntime_onnx", "onnxruntime")
    assert config.max_batch_size == 0
    tensors = {
        tensor.name: (tensor.data_type, list(tensor.dims)) for tensor in [*config.input, *config.output]
    }
    assert tensors == {
        "text": (oip.TYPE_STRING, [-1]),
        "label": (oip.TYPE_STRING, [-1]),
        "score": (oip.TYPE_FP32, [-1]),
        "probabilities": (oip.TYPE_FP32, [-1, 3]),
    }
    (group,) = config.instance_group
    assert group.count >= 1
    assert group.kind == oip.ModelInstanceGroup.KIND_CPU
    facts = {name: parameter.string_value for name, parameter in config.parameters.items()}
    assert facts["task"] == "text-classification"
    assert (facts["max_tokens"], facts["vocabulary_size"], facts["pad_token_id"]) == ("32", "10", "0")
    (entry,) = open_inference.RepositoryIndex(oip.RepositoryIndexRequest(ready=True)).models
    assert (entry.name, entry.version, entry.state) == ("tiny", "3", "READY")


def test_a_model_can_be_neither_loaded_nor_unloaded(
    open_inference: oip_grpc.GRPCInferenceServiceStub,
) -> None:
    for call, request in (
        (open_inference.RepositoryModelLoad, oip.RepositoryModelLoadRequest(model_name="huge")),
        (open_inference.RepositoryModelUnload, oip.RepositoryModelUnloadRequest(model_name="tiny")),
    ):
        code, details = fails(call, request)
        assert code == grpc.StatusCode.UNIMPLEMENTED
        assert "start the server with --model-control explicit" in details


def test_the_statistics_count_requests_texts_and_batches(
    open_inference: oip_grpc.GRPCInferenceServiceStub, until: Callable[[Callable[[], Any]], Any]
) -> None:
    def read() -> oip.ModelStatistics:
        (stats,) = open_inference.ModelStatistics(oip.ModelStatisticsRequest()).model_stats
        return stats

    before = read()
    open_inference.ModelInfer(raw_contents(["good", "bad"]))
    fails(open_inference.ModelInfer, oip.ModelInferRequest(model_name="tiny"))
    fails(open_inference.ModelMetadata, oip.ModelMetadataRequest(name="huge"))
    # A failed call is counted once its status is on the way.
    until(lambda: read().inference_stats.fail.count > before.inference_stats.fail.count)
    after = read()
    assert (after.name, after.version) == ("tiny", "3")
    assert after.last_inference >= before.last_inference > 1.7e12
    assert after.inference_count - before.inference_count == 2
    assert after.execution_count - before.execution_count == 1
    old, new = before.inference_stats, after.inference_stats
    assert new.fail.count - old.fail.count == 1
    for stage in ("success", "queue", "compute_input", "compute_infer", "compute_output"):
        assert getattr(new, stage).count - getattr(old, stage).count == 1
        assert getattr(new, stage).ns >= getattr(old, stage).ns
    batches = {batch.batch_size: batch.compute_infer.count for batch in after.batch_stats}
    assert sum(batches.values()) == after.execution_count
    assert batches[2] - {b.batch_size: b.compute_infer.count for b in before.batch_stats}.get(2, 0) == 1


def test_classification_gives_the_best_classes_as_text(
    open_inference: oip_grpc.GRPCInferenceServiceStub,
) -> None:
    request = raw_contents(["good", "very bad"])
    request.outputs.add(name="probabilities").parameters["classification"].int64_param = 2
    reply = open_inference.ModelInfer(request)
    (output,) = reply.outputs
    assert (output.datatype, list(output.shape)) == ("BYTES", [2, 2])
    plain = open_inference.ModelInfer(typed_contents(["good", "very bad"])).outputs[2]
    table = np.array(plain.contents.fp32_contents, np.float32).reshape(2, 3)
    assert unpack_bytes(reply.raw_output_contents[0]) == [
        f"{row[index]:f}:{index}:{LABELS[index]}".encode()
        for row in table
        for index in np.argsort(-row)[:2].tolist()
    ]


def test_parameters_that_mean_nothing_here_are_ignored(
    open_inference: oip_grpc.GRPCInferenceServiceStub,
) -> None:
    request = raw_contents(["good"])
    request.parameters["sequence_id"].int64_param = 7
    request.parameters["triton_enable_empty_final_response"].bool_param = True
    request.parameters["timeout"].string_param = "60000000"
    request.inputs[0].parameters["binary_data_size"].int64_param = 8
    request.outputs.add(name="label").parameters["binary_data"].bool_param = True
    (output,) = open_inference.ModelInfer(request).outputs
    assert output.name == "label"


def test_the_server_is_live_and_ready(
    open_inference: oip_grpc.GRPCInferenceServiceStub, channel: grpc.Channel
) -> None:
    assert open_inference.ServerLive(oip.ServerLiveRequest()).live
    assert open_inference.ServerReady(oip.ServerReadyRequest()).ready
    about = open_inference.ServerMetadata(oip.ServerMetadataRequest())
    assert about.name == "strop"
    assert {"statistics", "model_configuration", "model_repository"} <= set(about.extensions)
    assert "provider:CPUExecutionProvider" in about.extensions
    for name, version, ready in (
        ("tiny", "", True),
        ("tiny", "3", True),
        ("tiny", "4", False),
        ("huge", "", False),
    ):
        asked = oip.ModelReadyRequest(name=name, version=version)
        assert open_inference.ModelReady(asked).ready == ready
    health = health_pb2_grpc.HealthStub(channel)
    for service in ("", "inference.GRPCInferenceService", "strop.v1.Strop"):
        reply = health.Check(health_pb2.HealthCheckRequest(service=service))
        assert reply.status == health_pb2.HealthCheckResponse.SERVING


def test_reflection_lists_the_services(channel: grpc.Channel) -> None:
    assert set(ProtoReflectionDescriptorDatabase(channel).get_services()) == {
        "inference.GRPCInferenceService",
        "strop.v1.Strop",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }


def on_input(**fields: Any) -> Change:
    def change(request: oip.ModelInferRequest) -> None:
        for name, value in fields.items():
            if isinstance(value, list):
                getattr(request.inputs[0], name)[:] = value
            else:
                setattr(request.inputs[0], name, value)

    return change


def raw_blobs(*blobs: bytes) -> Change:
    def change(request: oip.ModelInferRequest) -> None:
        request.inputs[0].ClearField("contents")
        request.raw_input_contents.extend(blobs)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (on_input(datatype="FP32"), "input 'text' has datatype 'FP32'; send BYTES"),
        (on_input(name="sentence"), "the inputs are 'sentence'; send 'text', or 'input_ids'"),
        (on_input(shape=[2]), r"shape \[2\] but 1 elements"),
        (on_input(shape=[]), r"shape \[\]; send \[n\] or \[n, 1\]"),
        (on_input(shape=[1, 2]), r"shape \[1, 2\]; send \[n\] or \[n, 1\]"),
        (on_input(shape=[1, 1, 1]), r"shape \[1, 1, 1\]"),
        (on_input(shape=[0]), r"shape \[0\]; .* at least 1"),
        (on_input(shape=[-1]), r"shape \[-1\]"),
        (lambda r: r.ClearField("inputs"), "the inputs are none"),
        (lambda r: r.inputs.add(name="more"), "the inputs are 'text', 'more'"),
        (lambda r: r.outputs.add(name="logits"), "no output is named 'logits'; ask for: label"),
        (lambda r: r.raw_input_contents.append(b""), "both raw and typed contents"),
        (raw_blobs(b"", b""), "raw_input_contents has 2 blobs for 1 inputs"),
        (raw_blobs(b"\x00" * 4000), "there are more than 1 elements"),
        (on_input(shape=[2000]), "2000 texts in one call are too many; send at most 512"),
        (lambda r: [r.outputs.add(name="label") for _ in range(2)], "output 'label' is asked for twice"),
        (
            lambda r: setattr(r.inputs[0].parameters["shared_memory_region"], "string_param", "mine"),
            "input 'text' is in shared memory; send the contents in the message",
        ),
        (
            lambda r: setattr(
                r.outputs.add(name="label").parameters["shared_memory_region"], "string_param", "mine"
            ),
            "output 'label' is in shared memory",
        ),
        (
            lambda r: setattr(r.outputs.add(name="score").parameters["classification"], "int64_param", 2),
            "output 'score' has no classes; ask for those of 'probabilities'",
        ),
        (
            lambda r: setattr(r.parameters["priority"], "int64_param", -1),
            "parameter 'priority' is -1; send a whole number, at least 0",
        ),
        (
            lambda r: setattr(r.parameters["timeout"], "string_param", "soon"),
            "parameter 'timeout' is 'soon'; send a whole number",
        ),
        (
            lambda r: setattr(r.parameters["timeout"], "bool_param", True),
            "parameter 'timeout' is True; send a whole number",
        ),
        (raw_blobs(b"\x04\x00\x00\x00abc"), "element 0 says it has 4 bytes, but 3 follow"),
        (raw_blobs(b"\x00\x00"), "a length is cut off after 0 elements"),
        (
            lambda r: r.inputs[0].contents.bytes_contents.__setitem__(0, b"good \xff"),
            "element 0 of input 'text' is not UTF-8 at byte 5",
        ),
        (
            lambda r: setattr(r.parameters["on_long"], "string_param", "split"),
            "parameter 'on_long' is 'split'; send truncate or refuse",
        ),
    ],
)
def test_a_bad_request_is_told_what_is_wrong(
    open_inference: oip_grpc.GRPCInferenceServiceStub, change: Change, message: str
) -> None:
    request = typed_contents(["good"])
    change(request)
    code, details = fails(open_inference.ModelInfer, request)
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert re.search(message, details), details


@pytest.mark.parametrize(
    ("request_fields", "message"),
    [
        ({"texts": []}, "there are no texts; send at least one"),
        ({"texts": ["good"], "on_long": 7}, "on_long is 7; send one of: ON_LONG_UNSPECIFIED"),
        ({"texts": ["good"], "priority": 9}, "priority is 9; send one of: PRIORITY_UNSPECIFIED"),
        ({"texts": ["good"] * 513}, "513 texts in one call are too many; send at most 512"),
    ],
)
def test_a_bad_typed_request_is_told_what_is_wrong(
    strop: typed_grpc.StropStub, request_fields: dict[str, Any], message: str
) -> None:
    code, details = fails(strop.Classify, typed.ClassifyRequest(**request_fields))
    assert code == grpc.StatusCode.INVALID_ARGUMENT
    assert message in details


def test_another_model_or_version_is_not_found(
    open_inference: oip_grpc.GRPCInferenceServiceStub, strop: typed_grpc.StropStub
) -> None:
    missing = (grpc.StatusCode.NOT_FOUND, "model 'huge' is not served here; ask for 'tiny'")
    request = typed_contents(["good"])
    request.model_name = "huge"
    assert fails(open_inference.ModelInfer, request) == missing
    assert fails(open_inference.ModelMetadata, oip.ModelMetadataRequest(name="huge")) == missing
    asked = typed.ClassifyRequest(model="huge", texts=["good"])
    assert fails(strop.Classify, asked) == missing
    request.model_name, request.model_version = "tiny", "4"
    assert fails(open_inference.ModelInfer, request) == (
        grpc.StatusCode.NOT_FOUND,
        "model 'tiny' has no version '4' here; ask for '3'",
    )


def test_a_message_over_the_limit_is_refused(strop: typed_grpc.StropStub) -> None:
    code, _ = fails(strop.Classify, typed.ClassifyRequest(texts=["a" * 2**20]))
    assert code == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_the_metrics_page_tells_what_happened(
    server: Any, strop: typed_grpc.StropStub, until: Callable[[Callable[[], Any]], Any]
) -> None:
    call = {"service": "strop.v1.Strop", "method": "Classify"}

    def count(code: str) -> float:
        sample = "strop_request_seconds_count", frozenset({**call, "code": code}.items())
        return float(server.metrics().get(sample, 0.0))

    before = server.metrics()
    answered, refused = count("OK"), count("INVALID_ARGUMENT")
    strop.Classify(typed.ClassifyRequest(texts=["good", "bad", "very bad"]))
    fails(strop.Classify, typed.ClassifyRequest())
    until(lambda: count("OK") == answered + 1 and count("INVALID_ARGUMENT") == refused + 1)
    after = server.metrics()

    def grew(name: str, **labels: str) -> float:
        of = {} if name == "strop_shed_total" else {"model": "tiny", "version": "3"}
        key = name, frozenset((of | labels).items())
        return float(after[key] - before.get(key, 0.0))

    assert grew("strop_texts_total") == 3
    for stage in ("tokenise", "queue", "compute"):
        assert grew("strop_stage_seconds_count", stage=stage) == 1
    assert grew("strop_batch_texts_sum") == 3
    # Three texts of 3, 3 and 4 tokens, packed.
    assert grew("strop_batch_tokens_sum") == 10
    assert grew("strop_batch_padding_share_sum") == 0
    facts = {"model": "tiny", "version": "3", "variant": "fp32"}
    assert server.metric("strop_model_info", provider="CPUExecutionProvider", **facts) == 1
    for gauge in ("strop_queue_texts", "strop_queue_tokens", "strop_in_flight_requests"):
        assert server.metric(gauge) == 0
    for reason in ("queue_full", "deadline", "cancelled", "draining"):
        assert grew("strop_shed_total", reason=reason) == 0
