"""A server of many models, whose repository changes while it runs."""

import http.server
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest

from strop.cli import main
from strop.errors import InputError
from strop.export.bundle import Bundle
from strop.proto import open_inference_pb2 as oip
from strop.serve.repository.key import Key
from strop.serve.repository.source import Remote

Publish = Callable[..., Path]
Until = Callable[[Callable[[], Any]], Any]


def test_several_models_answer_by_name_and_version(client, publish: Publish):
    publish("films", "10")
    publish("films", "2")
    here = client("--versions", "latest:2")
    assert here.ready() == [("films", "2"), ("films", "10"), ("tweets", "9")]
    assert here.classify("films").version == "10"
    assert here.classify("films", "2").version == "2"
    assert here.classify("tweets").model == "tweets"
    assert here.fails("films", "1") == (
        grpc.StatusCode.NOT_FOUND,
        "model 'films' has no version '1' here; ask for '2', '10'",
    )
    assert here.fails("songs")[1] == "model 'songs' is not served here; ask for 'films', 'tweets'"
    code, message = here.fails()
    assert (code, message) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "no model is named; ask for one of: films, tweets",
    )
    metadata = here.oip.ModelMetadata(oip.ModelMetadataRequest(name="films"))
    assert list(metadata.versions) == ["2", "10"]
    counted = here.oip.ModelStatistics(oip.ModelStatisticsRequest()).model_stats
    assert [(one.name, one.version, one.inference_count) for one in counted] == [
        ("films", "10", 1),
        ("films", "2", 1),
        ("tweets", "9", 1),
    ]
    assert here.server.metric("strop_texts_total", model="films") == 2


def test_a_new_version_takes_over_under_load_and_no_call_fails(
    client, repository: Path, publish: Publish, until: Until
):
    here = client("--model-control", "poll", "--poll-seconds", "0.1")
    seen: list[str] = []
    stop = threading.Event()

    def ask() -> None:
        one = type(here)(here.server.address)
        while not stop.is_set():
            seen.append(one.classify("films").version)
        one.channel.close()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for version in ("2", "3"):
            publish("films", version)
            until(lambda: seen and seen[-1] == version)  # noqa: B023
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert set(seen) == {"1", "2", "3"}
    assert here.server.metric("strop_failures_total", model="films") == 0
    until(lambda: here.index()["films", "1"][0] == "UNAVAILABLE")
    assert here.server.metric("strop_model_info", model="films", version="1") == 0
    shutil.rmtree(repository / "films" / "1")
    shutil.rmtree(repository / "tweets")
    until(lambda: ("films", "1") not in here.index())
    until(lambda: ("tweets", "9") not in here.index())
    assert here.fails("tweets")[0] == grpc.StatusCode.NOT_FOUND


def test_a_version_that_fails_its_checks_stays_out_and_says_why(
    client, repository: Path, publish: Publish, until: Until
):
    here = client("--model-control", "poll", "--poll-seconds", "0.1")
    bad = publish("films", "2", without="tokenizer.json")
    until(lambda: ("films", "2") in here.index() and here.index()["films", "2"][0] == "UNAVAILABLE")
    assert "tokenizer.json is missing from the bundle" in here.index()["films", "2"][1]
    assert here.classify("films").version == "1"
    code, message = here.fails("films", "2")
    assert code == grpc.StatusCode.NOT_FOUND
    assert "tokenizer.json" in message
    assert here.server.metric("strop_model_load_failures_total", model="films", version="2") == 1

    shutil.rmtree(bad)
    publish("films", "2", provenance={"again": True})
    until(lambda: here.classify("films").version == "2")


def test_a_folder_that_says_another_name_than_its_manifest_is_refused(client, repository: Path):
    (repository / "tweets" / "9").rename(repository / "tweets" / "8")
    here = client()
    state, reason = here.index()["tweets", "8"]
    assert state == "UNAVAILABLE"
    assert "says that it is tweets 9; rename its folders to tweets/9" in reason


def test_callers_load_and_unload_where_they_may(client, repository: Path, publish: Publish):
    here = client("--model-control", "explicit", "--load", "tweets")
    assert here.ready() == [("tweets", "9")]
    here.load("films")
    assert here.classify("films").version == "1"
    publish("films", "2")
    assert here.classify("films").version == "1"
    here.load("films")
    assert here.classify("films").version == "2"
    here.unload("films")
    assert here.fails("films")[1] == "model films 1 is not served: another version is served instead"
    assert here.index()["films", "2"] == ("UNAVAILABLE", "unloaded by request")
    for call in (here.load, here.unload):
        with pytest.raises(grpc.RpcError) as raised:
            call("songs")
        assert raised.value.code() == grpc.StatusCode.NOT_FOUND
    (repository / "films" / "2" / "golden.jsonl").unlink()
    with pytest.raises(grpc.RpcError) as raised:
        here.load("films")
    assert raised.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert "golden.jsonl is missing" in raised.value.details()


def test_models_are_listed_loaded_and_unloaded_from_the_command_line(
    client, repository: Path, capsys: pytest.CaptureFixture[str]
):
    here = client("--model-control", "explicit", "--load", "tweets")
    address = here.server.address
    assert main(["models", address, "--load", "films", "--unload", "tweets"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["films", "1", "READY"] in lines
    assert ["tweets", "9", "UNAVAILABLE", "unloaded", "by", "request"] in lines
    assert main(["models", address, "--load", "songs"]) == 1
    assert f"{address}: NOT_FOUND, the repository has no model 'songs'" in capsys.readouterr().err
    assert main(["models", address, "--load", "films", "--unload", "films"]) == 2
    assert "--load and --unload both name films" in capsys.readouterr().err


def test_models_are_loaded_on_request_and_the_least_recently_used_make_room(
    client, tiny_bundle: Path, publish: Publish
):
    variants = json.loads((tiny_bundle / "manifest.json").read_text())["variants"]
    variants[0]["peak_bytes"] = 10_000_000
    for name in ("a", "b", "c"):
        publish(name, "1", variants=variants)
    here = client("--load-on-request", "--models-megabytes", "25")
    assert here.ready() == []
    for name in ("a", "b", "a", "c"):
        assert here.classify(name).model == name
    assert here.ready() == [("a", "1"), ("c", "1")]
    assert here.index()["b", "1"][1] == "unloaded for c 1; it is loaded again when it is asked for"
    assert here.classify("b").model == "b"
    assert here.ready() == [("b", "1"), ("c", "1")]
    variants[0]["peak_bytes"] = 30_000_000
    publish("huge", "1", variants=variants)
    assert "it takes 30 MB beside 20 MB of other models" in here.fails("huge")[1]
    assert here.ready() == [("b", "1"), ("c", "1")]


@pytest.fixture
def over_http(repository: Path) -> Iterator[str]:
    """The repository behind a web server that lists folders."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=repository))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_repository_elsewhere_is_followed_too(
    client, over_http: str, publish: Publish, until: Until, monkeypatch, tmp_path: Path
):
    monkeypatch.setenv("STROP_CACHE", str(tmp_path / "cache"))
    here = client("--model-control", "poll", "--poll-seconds", "0.1", place=over_http)
    assert here.ready() == [("films", "1"), ("tweets", "9")]
    publish("films", "2")
    until(lambda: here.classify("films").version == "2")
    assert not list((tmp_path / "cache").glob("**/.*"))


def test_a_remote_manifest_can_not_write_outside_its_folder(
    tiny_bundle: Path, repository: Path, publish: Publish, tmp_path: Path
):
    shutil.rmtree(repository / "tweets")
    entry = json.loads((tiny_bundle / "manifest.json").read_text())["files"]["tokenizer.json"]
    publish("films", "2", files={"../../evil.json": entry})
    source = Remote(f"file://{repository}", tmp_path / "cache")
    key = Key("films", "2")
    assert list(source.versions()) == [Key("films", "1"), key]
    with pytest.raises(
        InputError,
        match=r"films/2/manifest.json can't be read: file '../../evil.json' lies outside the bundle",
    ):
        source.fetch(key)
    assert not list((tmp_path / "cache").rglob("*.json"))


def test_versions_with_the_same_tokenizer_share_it(publish: Publish):
    first, second = (Bundle.open(publish("mood", number)) for number in ("1", "2"))
    kept = first.text_encoder()
    assert second.text_encoder() is kept
    shorter = replace(second, manifest=replace(second.manifest, max_tokens=kept.max_tokens - 1))
    assert shorter.text_encoder().max_tokens == kept.max_tokens - 1


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("empty", "has no name/version/ bundles, and --model-control none looks only once; put some there"),
        ("long" * 100, "can't be read: File name too long"),
    ],
)
def test_a_repository_that_can_never_serve_is_refused(
    refuse_to_start, tmp_path: Path, place: str, message: str
):
    (tmp_path / "empty").mkdir()
    ended = refuse_to_start(tmp_path / place)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert message in ended.stderr
