"""Requests and replies on both wires."""

import numpy as np
import pytest

from strop.bench.protocols import WIRES, Stages, read_reply
from strop.errors import StropError
from strop.proto import open_inference_pb2, strop_pb2
from strop.proto.raw import pack_bytes, pack_fp32


def test_a_typed_reply_tells_labels_variant_and_stage_times() -> None:
    message = strop_pb2.ClassifyResponse(model="m", version="2", variant="int8")
    for label in ("good", "bad"):
        message.results.add().labels.add(label=label, score=0.5)
    message.timings.tokenise_us = 1500
    reply = read_reply(WIRES["typed"], message.SerializeToString(), 2)
    assert (reply.model, reply.version, reply.variant) == ("m", "2", "int8")
    assert reply.labels == ("good", "bad")
    assert reply.stages == Stages(pytest.approx(0.0015), 0, 0, 0)  # type: ignore[arg-type]


def open_inference_reply() -> open_inference_pb2.ModelInferResponse:
    message = open_inference_pb2.ModelInferResponse(model_name="m", model_version="2")
    message.outputs.add(name="score", datatype="FP32", shape=[2])
    message.outputs.add(name="label", datatype="BYTES", shape=[2])
    return message


def test_raw_outputs_are_read_in_whatever_order_with_their_parameters() -> None:
    message = open_inference_reply()
    message.raw_output_contents.append(pack_fp32(np.array([0.5, 0.25], dtype=np.float32)))
    message.raw_output_contents.append(pack_bytes([b"good", b"bad"]))
    message.parameters["variant"].string_param = "int8"
    for number, stage in enumerate(("tokenise", "queue", "compute", "total"), 1):
        message.parameters[f"{stage}_us"].int64_param = number * 1_000_000
    reply = read_reply(WIRES["open-inference"], message.SerializeToString(), 2)
    assert reply.results == ((("good", 0.5),), (("bad", 0.25),))
    assert (reply.variant, reply.stages) == ("int8", Stages(1, 2, 3, 4))


def test_typed_outputs_are_read_and_missing_parameters_are_not_made_up() -> None:
    message = open_inference_reply()
    message.outputs[0].contents.fp32_contents.extend([0.5, 0.25])
    message.outputs[1].contents.bytes_contents.extend([b"good", b"bad"])
    reply = read_reply(WIRES["open-inference"], message.SerializeToString(), 2)
    assert reply.labels == ("good", "bad")
    assert (reply.variant, reply.stages) == ("", None)


@pytest.mark.parametrize(
    ("wire", "reply"),
    [
        ("typed", b"\xff\xff\xff"),
        ("typed", b""),
        ("open-inference", b""),
        ("open-inference", open_inference_reply().SerializeToString()),
    ],
)
def test_a_reply_that_is_not_one_is_an_error_in_words(wire: str, reply: bytes) -> None:
    with pytest.raises(StropError, match="the server sent"):
        read_reply(WIRES[wire], reply, 1)
