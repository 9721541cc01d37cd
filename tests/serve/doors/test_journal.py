"""What is written down of calls, and what never is."""

import json
import logging

import grpc
import pytest

from strop.errors import InputError
from strop.proto import open_inference_pb2 as oip
from strop.proto import open_inference_pb2_grpc as oip_grpc
from strop.proto import strop_pb2 as pb
from strop.proto import strop_pb2_grpc as pb_grpc
from strop.serve.doors.journal import Journal
from strop.serve.doors.keys import digest
from strop.serve.doors.options import DoorOptions

SECRET = "the-secret-of-the-shop"  # noqa: S105
TEXT = "good film told to nobody"


@pytest.fixture
def keys(tmp_path):
    path = tmp_path / "keys.toml"
    path.write_text(f'[keys.shop]\nsha256 = "{digest(SECRET)}"\nscopes = ["infer"]\n')
    return path


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


async def some_calls(server, status):
    """An answered call, a refused one, a wrong one, an admin call and one message of a stream."""
    async with grpc.aio.insecure_channel(server.addresses.calls) as channel:
        typed, who = pb_grpc.StropStub(channel), (("authorization", f"Bearer shop.{SECRET}"),)
        named = (*who, ("x-request-id", "order-7"))
        await typed.Classify(pb.ClassifyRequest(texts=[TEXT, "bad"]), metadata=named)
        await status(typed.Classify(pb.ClassifyRequest(texts=[TEXT])))
        wrong = pb.ClassifyRequest(texts=[TEXT], model="x" * 1000)
        await status(typed.Classify(wrong, metadata=who))
        load = oip.RepositoryModelLoadRequest(model_name="tiny")
        admin = oip_grpc.GRPCInferenceServiceStub(channel)
        await status(admin.RepositoryModelLoad(load, metadata=who))
        call = typed.ClassifyStream(metadata=who)
        await call.write(pb.ClassifyStreamRequest(request=pb.ClassifyRequest(texts=[TEXT])))
        await call.done_writing()
        async for _ in call:
            pass


def test_a_line_tells_whose_call_it_was_and_how_it_ended(play, keys, tmp_path, status):
    access, audit = tmp_path / "access.jsonl", tmp_path / "audit.jsonl"

    async def scenario(server):
        await some_calls(server, status)

    play(scenario, keys=keys, access_log=str(access), audit_log=str(audit))
    told = lines(access)
    facts = [(one["key"], one["method"], one["model"][:8], one["code"], one["texts"]) for one in told]
    assert facts == [
        ("shop", "Classify", "tiny", "OK", 2),
        ("", "Classify", "", "UNAUTHENTICATED", 0),
        ("shop", "Classify", "xxxxxxxx", "NOT_FOUND", 0),
        ("shop", "RepositoryModelLoad", "", "PERMISSION_DENIED", 0),
        ("shop", "ClassifyStream", "tiny", "OK", 1),
    ]
    assert list(told[0])[:7] == ["time", "level", "logger", "message", "service", "method", "request_id"]
    assert (told[0]["level"], told[0]["message"], told[0]["request_id"]) == ("info", "a call", "order-7")
    assert told[0]["tokens"] == 10
    assert told[0]["version"] == "3"
    assert told[0]["peer"].startswith("ipv4:127.0.0.1:")
    assert told[0]["ms"] > 0
    assert len(told[2]["model"]) == 128
    (asked,) = lines(audit)
    assert (asked["level"], asked["message"]) == ("info", "an admin call")
    assert (asked["key"], asked["method"], asked["code"]) == (
        "shop",
        "RepositoryModelLoad",
        "PERMISSION_DENIED",
    )


def test_no_text_and_no_key_is_in_any_log_or_metric(play, keys, tmp_path, status, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    access = tmp_path / "access.jsonl"
    page = []

    async def scenario(server):
        from prometheus_client import generate_latest

        await some_calls(server, status)
        page.append(generate_latest(server.metrics.registry).decode())

    play(scenario, keys=keys, access_log=str(access))
    told = "".join([caplog.text, *map(str, capfd.readouterr()), access.read_text(), *page])
    assert "an admin call" in told
    assert SECRET not in told
    assert digest(SECRET) not in told
    assert TEXT not in told
    assert "nobody" not in told


def test_texts_are_written_where_that_is_asked_for(play, keys, tmp_path, status):
    access = tmp_path / "access.jsonl"

    async def scenario(server):
        await some_calls(server, status)

    play(scenario, keys=keys, access_log=str(access), log_texts=True)
    asked = [one.get("asked") for one in lines(access)]
    assert asked == [[TEXT, "bad"], None, None, None, [TEXT]]
    assert SECRET not in access.read_text()


def test_a_log_that_can_t_be_written_is_named(tmp_path):
    with pytest.raises(InputError, match=r"--access-log .* can't be written"):
        Journal(DoorOptions(access_log=str(tmp_path / "no" / "log")))
