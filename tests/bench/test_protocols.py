"""Requests and replies on both wires, for every call."""

import json
from typing import Any

import numpy as np
import pytest
from google.protobuf.message import Message

from strop.bench.calls import CALLS
from strop.bench.protocols import WIRES, OpenInferenceWire, Stages, TypedWire, read_reply
from strop.bench.served import INPUTS, Served
from strop.errors import StropError
from strop.proto import open_inference_pb2, strop_pb2
from strop.proto.raw import pack_bytes, pack_fp32
from strop.tasks import TASKS, Entity
from strop.tasks.spans import Found, Reply

ONE = Served("m", TASKS["text-classification"])
MANY = Served("m", TASKS["multi-label-classification"])
PAIRS = Served("m", TASKS["regression"], INPUTS)
TAGS = Served("m", TASKS["token-classification"])
ASKED = Served("m", TASKS["question-answering"], INPUTS)
TEXTS = [("a", "b"), ("c", "d")]


def test_every_task_has_a_call() -> None:
    assert {task.call for task in TASKS.values()} <= set(CALLS)


@pytest.mark.parametrize(
    ("served", "texts", "top_k", "wanted"),
    [
        (ONE, [("a",)], None, strop_pb2.ClassifyRequest(model="m", texts=["a"], top_k=1)),
        (ONE, [("a",)], 0, strop_pb2.ClassifyRequest(model="m", texts=["a"])),
        (MANY, [("a",)], None, strop_pb2.ClassifyRequest(model="m", texts=["a"])),
        (MANY, [("a",)], 2, strop_pb2.ClassifyRequest(model="m", texts=["a"], top_k=2)),
        (PAIRS, TEXTS, None, strop_pb2.ScoreRequest(model="m", texts=["a", "c"], pairs=["b", "d"])),
        (TAGS, [("a",)], None, strop_pb2.TagRequest(model="m", texts=["a"])),
        (TAGS, [], None, strop_pb2.TagRequest(model="m")),
        (
            ASKED,
            [("a", "b")],
            None,
            strop_pb2.AnswerRequest(questions=["a"], contexts=["b"], model="m", top_k=1),
        ),
    ],
)
def test_a_typed_request_is_that_of_the_tasks_call(
    served: Served, texts: Any, top_k: int | None, wanted: Message
) -> None:
    wire = TypedWire(served)
    assert wire.encode(texts, top_k) == wanted.SerializeToString()
    assert wire.method == f"/strop.v1.Strop/{type(wanted).__name__.removesuffix('Request')}"


@pytest.mark.parametrize(
    ("served", "top_k", "outputs"),
    [
        (ONE, None, {"label": 0, "score": 0}),
        (ONE, 3, {"probabilities": 3}),
        (MANY, None, {"probabilities": 2**31 - 1}),
        (PAIRS, None, {"score": 0}),
        (TAGS, None, {"entities": 0}),
        (ASKED, 3, {"answer": 0}),
    ],
)
def test_an_open_inference_request_asks_for_the_tensors_of_the_call(
    served: Served, top_k: int | None, outputs: dict[str, int]
) -> None:
    texts = [text[: len(served.inputs)] for text in TEXTS]
    request = open_inference_pb2.ModelInferRequest.FromString(
        OpenInferenceWire(served).encode(texts, top_k)
    )
    assert [(one.name, one.datatype, list(one.shape)) for one in request.inputs] == [
        (name, "BYTES", [2]) for name in served.inputs
    ]
    columns = [[b"a", b"c"], [b"b", b"d"]]
    assert list(request.raw_input_contents) == [
        pack_bytes(column) for column in columns[: len(served.inputs)]
    ]
    asked = {one.name: one.parameters["classification"].int64_param for one in request.outputs}
    assert asked == outputs


def test_a_typed_reply_tells_labels_variant_and_stage_times() -> None:
    message = strop_pb2.ClassifyResponse(model="m", version="2", variant="int8")
    for label in ("good", "bad"):
        message.results.add().labels.add(label=label, score=0.5)
    message.timings.tokenise_us = 1500
    reply = read_reply(TypedWire(ONE), message.SerializeToString(), 2)
    assert (reply.model, reply.version, reply.variant) == ("m", "2", "int8")
    assert reply.results == ((("good", 0.5),), (("bad", 0.5),))
    assert reply.stages == Stages(pytest.approx(0.0015), 0, 0, 0)  # type: ignore[arg-type]


def test_scores_and_entities_are_read_also_where_they_are_nothing() -> None:
    scores = strop_pb2.ScoreResponse(results=[strop_pb2.TextScore(score=score) for score in (0, -1.5)])
    assert read_reply(TypedWire(PAIRS), scores.SerializeToString(), 2).results == (0, -1.5)
    tags = strop_pb2.TagResponse(results=[strop_pb2.Tagging(), strop_pb2.Tagging()])
    tags.results[1].entities.add(label="PER", start=0, stop=6, text="Angela", score=0.5)
    wanted = ((), (Entity("PER", 0, 6, 0.5),))
    assert read_reply(TypedWire(TAGS), tags.SerializeToString(), 2).results == wanted
    message = open_inference_pb2.ModelInferResponse()
    message.outputs.add(name="entities", datatype="BYTES", shape=[2])
    rows = ["[]", json.dumps([wanted[1][0]._asdict()])]
    message.raw_output_contents.append(pack_bytes(row.encode() for row in rows))
    assert read_reply(OpenInferenceWire(TAGS), message.SerializeToString(), 2).results == wanted


def test_an_answer_and_that_there_is_none_are_read() -> None:
    wanted = (Reply((Found(3, 7, 0.75),), 0.25), Reply((), 0.5))
    typed = strop_pb2.AnswerResponse(
        results=[strop_pb2.Answered(null_score=one.null_score) for one in wanted]
    )
    typed.results[0].answers.add(start=3, stop=7, text="Oslo", score=0.75)
    assert read_reply(TypedWire(ASKED), typed.SerializeToString(), 2).results == wanted
    message = open_inference_pb2.ModelInferResponse()
    message.outputs.add(name="answer", datatype="BYTES", shape=[2])
    none = {"start": None, "stop": None, "score": None, "null_score": 0.5}
    rows = [json.dumps(one) for one in ({"start": 3, "stop": 7, "score": 0.75, "null_score": 0.25}, none)]
    message.raw_output_contents.append(pack_bytes(row.encode() for row in rows))
    assert read_reply(OpenInferenceWire(ASKED), message.SerializeToString(), 2).results == wanted
    shown = [ASKED.call.rows(("Where?", "in Oslo."), one, None) for one in wanted]
    assert shown == [[("Oslo", "3–7", "0.7500")], [("none", "", "0.5000")]]


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
    reply = read_reply(OpenInferenceWire(ONE), message.SerializeToString(), 2)
    assert reply.results == ((("good", 0.5),), (("bad", 0.25),))
    assert (reply.variant, reply.stages) == ("int8", Stages(1, 2, 3, 4))


def test_typed_outputs_are_read_and_missing_parameters_are_not_made_up() -> None:
    message = open_inference_reply()
    message.outputs[0].contents.fp32_contents.extend([0.5, 0.25])
    message.outputs[1].contents.bytes_contents.extend([b"good", b"bad"])
    reply = read_reply(OpenInferenceWire(ONE), message.SerializeToString(), 2)
    assert reply.results == ((("good", 0.5),), (("bad", 0.25),))
    assert (reply.variant, reply.stages) == ("", None)


def test_several_classes_are_read_as_triton_writes_them() -> None:
    message = open_inference_pb2.ModelInferResponse()
    output = message.outputs.add(name="probabilities", datatype="BYTES", shape=[1, 2])
    output.contents.bytes_contents.extend([b"0.750000:1:a:b", b"0.250000:0:c"])
    reply = read_reply(OpenInferenceWire(MANY), message.SerializeToString(), 1)
    assert reply.results == ((("a:b", 0.75), ("c", 0.25)),)


def without_label() -> bytes:
    message = strop_pb2.ClassifyResponse()
    message.results.add()
    serialised: bytes = message.SerializeToString()
    return serialised


@pytest.mark.parametrize(
    ("api", "reply"),
    [
        ("typed", b"\xff\xff\xff"),
        ("typed", b""),
        ("typed", without_label()),
        ("open-inference", b""),
        ("open-inference", open_inference_reply().SerializeToString()),
    ],
)
def test_a_reply_that_is_not_one_is_an_error_in_words(api: str, reply: bytes) -> None:
    with pytest.raises(StropError, match="the server sent"):
        read_reply(WIRES[api](ONE), reply, 1)
