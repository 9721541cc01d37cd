"""Feedback as a caller gives it: over the wire, from one worker or several."""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from strop.feedback import FeedbackStore
from strop.proto import open_inference_pb2 as oip
from strop.proto import open_inference_pb2_grpc as oip_grpc
from strop.proto import strop_pb2 as pb
from strop.proto import strop_pb2_grpc as pb_grpc

Start = Callable[..., Any]
TEXTS = ["good film", "bad film, write to jane@example.org"]


def status_of(call: Callable[[], Any]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value.code(), caught.value.details()  # type: ignore[attr-defined]


def stored(path: Path) -> list[Any]:
    store = FeedbackStore.read_only(path)
    try:
        return list(store.stored())
    finally:
        store.close()


def wrong(named: str) -> list[tuple[pb.FeedbackRequest, str, str]]:
    """Feedback on a request of two texts that must be refused, with status and reason."""
    request = pb.FeedbackRequest
    return [
        (request(request_id=named, labels=["great"]), "INVALID_ARGUMENT", "send one of: négatif"),
        (request(request_id=named, labels=["neutral"] * 2), "INVALID_ARGUMENT", "send one"),
        (request(request_id=named, none_of_them=True), "INVALID_ARGUMENT", "send one"),
        (request(request_id=named), "INVALID_ARGUMENT", "there are no labels"),
        (request(labels=["neutral"]), "INVALID_ARGUMENT", "request_id is empty"),
        (request(request_id=named, comment="x" * 2001), "INVALID_ARGUMENT", "2001 characters"),
        (request(request_id=named, text=2, labels=["neutral"]), "NOT_FOUND", "text 2 of request"),
        (request(request_id="nobody", labels=["neutral"]), "NOT_FOUND", "never given here"),
    ]


def test_feedback_is_kept_with_its_masked_text_and_wrong_feedback_is_named(
    tiny_bundle: Path, start_server: Start, tmp_path: Path
) -> None:
    path = tmp_path / "feedback.db"
    server = start_server(tiny_bundle, "--feedback", str(path), "--sample-share", "1")
    with grpc.insecure_channel(server.address) as channel:
        strop = pb_grpc.StropStub(channel)
        reply = strop.Classify(pb.ClassifyRequest(texts=TEXTS))
        named = reply.request_id
        own = strop.Classify(pb.ClassifyRequest(texts=["good"]), metadata=[("x-request-id", "mine")])
        assert own.request_id == "mine"
        strop.Feedback(
            pb.FeedbackRequest(request_id=named, text=1, labels=["positive"], comment="ask joe@example.org")
        )
        for request, status, message in wrong(named):
            found, said = status_of(lambda request=request: strop.Feedback(request))  # type: ignore[misc]
            assert (found.name, message in said) == (status, True), said
        for _ in range(2):
            strop.Classify(pb.ClassifyRequest(texts=["good"]), metadata=[("x-request-id", "twice")])
        _, said = status_of(
            lambda: strop.Feedback(pb.FeedbackRequest(request_id="twice", labels=["neutral"]))
        )
        assert "2 answers have the request_id 'twice'" in said
        request = pb.ClassifyRequest(texts=["film"])
        messages = [pb.ClassifyStreamRequest(id=name, request=request) for name in ("a", "")]
        replies = {one.id: one.response.request_id for one in strop.ClassifyStream(iter(messages))}
        assert replies["a"] == "a"
        for other in replies.values():
            strop.Feedback(pb.FeedbackRequest(request_id=other, labels=["neutral"]))
    server.signal()
    assert server.exit_code() == 0
    found = {(one.answered.request, one.answered.place): one for one in stored(path)}
    assert len(found) == 6
    one = found[named, 1]
    assert one.answered.text == "bad film, write to [EMAIL]"
    assert one.answered.label == reply.results[1].labels[0].label
    assert one.answered.confidence == pytest.approx(reply.results[1].labels[0].score)
    assert [(said.label, said.comment) for said in one.corrections] == [("positive", "ask [EMAIL]")]
    assert (one.by.name, one.by.version, one.by.task) == ("tiny", "3", "text-classification")


def test_no_text_is_kept_unless_it_is_asked_for_and_feedback_works_all_the_same(
    tiny_bundle: Path, start_server: Start, tmp_path: Path
) -> None:
    path = tmp_path / "feedback.db"
    server = start_server(tiny_bundle, "--feedback", str(path), "--workers", "2")
    request = oip.ModelInferRequest(model_name="tiny")
    request.inputs.add(name="text", datatype="BYTES", shape=[1]).contents.bytes_contents.append(
        b"secret film"
    )
    for number in range(4):  # connections are spread over the workers
        options = [("grpc.use_local_subchannel_pool", 1)]
        with (
            grpc.insecure_channel(server.address, options) as one,
            grpc.insecure_channel(server.address, options) as other,
        ):
            reply = oip_grpc.GRPCInferenceServiceStub(one).ModelInfer(request)
            named = reply.parameters["request_id"].string_param
            feedback = pb.FeedbackRequest(request_id=named, labels=["neutral"], comment=str(number))
            pb_grpc.StropStub(other).Feedback(feedback)
    end = time.monotonic() + 10
    while server.metric("strop_feedback_received_total") < 4:
        assert time.monotonic() < end
    found = stored(path)
    assert [one.corrections[0].comment for one in found] == list("0123")
    assert {one.answered.text for one in found} == {None}
    with sqlite3.connect(path) as raw:
        assert "secret" not in "".join(raw.iterdump())


def test_a_server_that_keeps_nothing_says_so(channel: grpc.Channel) -> None:
    strop = pb_grpc.StropStub(channel)
    code, said = status_of(lambda: strop.Feedback(pb.FeedbackRequest(request_id="x", labels=["neutral"])))
    assert code is grpc.StatusCode.UNIMPLEMENTED
    assert "--feedback FILE" in said


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--sample-share", "0.5"], "--sample-share is 0.5, but nothing is kept"),
        (
            ["--feedback", "x", "--sample-uncertain", "2"],
            "--sample-uncertain is 2.0; it is a part",
        ),
        (
            ["--feedback", "x", "--feedback-megabytes", "0"],
            "--feedback-megabytes is 0.0",
        ),
        (["--feedback", "/nowhere/x.db"], "/nowhere/x.db can't be a store of feedback"),
    ],
)
def test_wrong_options_are_named(
    tiny_bundle: Path, options: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from strop.cli import main

    assert main(["serve", str(tiny_bundle), "--address", "127.0.0.1:0", *options]) == 2
    assert complaint in capsys.readouterr().err
