"""Requests nobody would send: each gets a status of its own, and the server goes on."""

from typing import Any

import grpc
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from strop.proto import open_inference_pb2 as oip
from strop.proto import open_inference_pb2_grpc as oip_grpc
from strop.proto import strop_pb2 as typed
from strop.proto import strop_pb2_grpc as typed_grpc
from strop.proto.raw import pack_bytes

MAY_ANSWER = {
    grpc.StatusCode.OK,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.DEADLINE_EXCEEDED,
}
FUZZ = settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])

numbers = st.integers(-(2**63), 2**63 - 1)
dimensions = st.integers(-1, 4) | numbers
parameters = st.dictionaries(
    st.sampled_from(["on_long", "priority", "timeout", "classification", "shared_memory_region", "x"]),
    st.builds(oip.InferParameter)
    | st.builds(oip.InferParameter, bool_param=st.booleans())
    | st.builds(oip.InferParameter, int64_param=numbers)
    | st.builds(oip.InferParameter, uint64_param=st.integers(0, 2**64 - 1))
    | st.builds(oip.InferParameter, double_param=st.floats())
    | st.builds(oip.InferParameter, string_param=st.text(max_size=30) | st.sampled_from(["refuse", "7"])),
    max_size=2,
)
contents = st.builds(
    oip.InferTensorContents,
    bool_contents=st.lists(st.booleans(), max_size=4),
    int_contents=st.lists(st.integers(-3, 12), max_size=4),
    int64_contents=st.lists(numbers | st.integers(-3, 12), max_size=4),
    bytes_contents=st.lists(st.binary(max_size=8), max_size=4),
)
inputs = st.builds(
    oip.ModelInferRequest.InferInputTensor,
    name=st.sampled_from(["text", "input_ids", "attention_mask", ""]),
    datatype=st.sampled_from(["BYTES", "INT64", "INT32", "BOOL", "FP16", ""]),
    shape=st.lists(dimensions, max_size=3),
    parameters=parameters,
    contents=contents | st.none(),
)
outputs = st.builds(
    oip.ModelInferRequest.InferRequestedOutputTensor,
    name=st.sampled_from(["label", "score", "probabilities", "logits"]),
    parameters=parameters,
)
blobs = (
    st.binary(max_size=32)
    | st.lists(st.binary(max_size=8), max_size=3).map(pack_bytes)
    | st.lists(st.integers(-3, 12), max_size=4).map(lambda ids: np.array(ids, "<i8").tobytes())
)
requests = st.builds(
    oip.ModelInferRequest,
    model_name=st.sampled_from(["tiny", "tiny", "tiny", "huge"]),
    model_version=st.sampled_from(["", "3", "4"]),
    id=st.text(max_size=8),
    parameters=parameters,
    inputs=st.lists(inputs, max_size=2),
    outputs=st.lists(outputs, max_size=2),
    raw_input_contents=st.lists(blobs, max_size=2),
)


@pytest.fixture(scope="module")
def open_inference(channel: grpc.Channel) -> oip_grpc.GRPCInferenceServiceStub:
    return oip_grpc.GRPCInferenceServiceStub(channel)


def code_of(call: Any, request: Any) -> grpc.StatusCode:
    try:
        call(request, timeout=60)
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


@FUZZ
@given(requests)
def test_a_request_of_random_fields_is_answered_or_refused(
    open_inference: oip_grpc.GRPCInferenceServiceStub, request: oip.ModelInferRequest
) -> None:
    assert code_of(open_inference.ModelInfer, request) in MAY_ANSWER


@FUZZ
@given(st.lists(requests, max_size=5))
def test_a_stream_of_random_requests_gets_one_reply_for_each(
    open_inference: oip_grpc.GRPCInferenceServiceStub, sent: list[oip.ModelInferRequest]
) -> None:
    replies = list(open_inference.ModelStreamInfer(iter(sent), timeout=60))
    assert [reply.infer_response.id for reply in replies] == [request.id for request in sent]
    for reply in replies:
        assert bool(reply.error_message) != bool(reply.infer_response.outputs)
        assert "internal" not in reply.error_message


@FUZZ
@given(st.binary(max_size=64))
def test_random_bytes_are_answered_or_refused(channel: grpc.Channel, data: bytes) -> None:
    for method in ("inference.GRPCInferenceService/ModelInfer", "strop.v1.Strop/Classify"):
        assert code_of(channel.unary_unary(f"/{method}"), data) in MAY_ANSWER


def test_a_status_that_quotes_something_endless_still_arrives(channel: grpc.Channel) -> None:
    endless = "\N{GRINNING FACE}" * 100_000
    many = oip.ModelInferRequest(model_name="tiny")
    for _ in range(50_000):
        many.inputs.add(name="more")
    stub = oip_grpc.GRPCInferenceServiceStub(channel)
    for request in (many, oip.ModelInferRequest(model_name=endless)):
        with pytest.raises(grpc.RpcError) as caught:
            stub.ModelInfer(request, timeout=60)
        assert caught.value.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND)
        assert " … " in caught.value.details()


@FUZZ
@given(
    st.builds(
        typed.ClassifyRequest,
        model=st.sampled_from(["", "tiny", "huge"]),
        texts=st.lists(st.text(max_size=20), max_size=4),
        top_k=st.integers(0, 2**32 - 1),
        on_long=st.integers(-(2**31), 2**31 - 1) | st.integers(0, 2),
        priority=st.integers(-(2**31), 2**31 - 1) | st.integers(0, 2),
    )
)
def test_a_typed_request_of_random_fields_is_answered_or_refused(
    channel: grpc.Channel, request: typed.ClassifyRequest
) -> None:
    assert code_of(typed_grpc.StropStub(channel).Classify, request) in MAY_ANSWER
