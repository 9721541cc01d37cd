"""The console: what it tells of a server, over HTTP, and what it never tells."""

import http.client
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram

from strop.proto import open_inference_pb2 as oip
from strop.proto import open_inference_pb2_grpc as oip_grpc
from strop.proto import strop_pb2 as typed
from strop.proto import strop_pb2_grpc as typed_grpc
from strop.serve.console.console import INTERVAL_SECONDS, POINTS, Console
from strop.serve.console.failures import KINDS, Failures
from strop.serve.console.figures import ANSWERING
from strop.serve.console.readings import Reader, Span, quantile
from strop.serve.console.state import Failure, ModelState, State, merged
from strop.serve.console.trial import LONGEST_TEXT, reachable
from strop.serve.observe.metrics import Metrics
from strop.serve.wire.answers import CALLS

Until = Callable[[Callable[[], Any]], Any]

HOSTILE = "<script>alert(1)</script>"
PRIVATE = "a very private text"


class Reply:
    """What an address answered."""

    def __init__(self, address: str, method: str, path: str, body: Any = None, **headers: str) -> None:
        connection = http.client.HTTPConnection(address, timeout=60)
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, names)
        response = connection.getresponse()
        self.status, self.headers = response.status, response.headers
        self.text = response.read().decode()
        connection.close()

    @property
    def json(self) -> Any:
        return json.loads(self.text)


def console_of(server: Any) -> Any:
    return Reply(server.metrics_address, "GET", "/console.json").json


def attempt(server: Any, **asked: Any) -> Reply:
    body = json.dumps(asked)
    return Reply(server.metrics_address, "POST", "/try", body, content_type="application/json")


# What a span of time was like.

SECONDS = (0.001, 0.01, 0.1, 1.0)


@given(st.lists(st.floats(0, 0.999), min_size=1, max_size=50), st.floats(0.01, 1))
def test_a_quantile_lies_in_the_bucket_of_the_observation_that_it_is(
    observed: list[float], share: float
) -> None:
    buckets = [(bound, float(sum(one <= bound for one in observed))) for bound in (*SECONDS, math.inf)]
    found = quantile(buckets, share)
    assert found is not None
    exact = sorted(observed)[max(0, math.ceil(share * len(observed) - 1e-9) - 1)]
    bound = next(one for one in SECONDS if exact <= one)
    below = next((one for one in reversed(SECONDS) if one < bound), 0.0)
    assert below - 1e-9 <= found <= bound + 1e-9


def test_of_nothing_there_is_no_quantile_and_beyond_the_last_bound_it_is_that() -> None:
    assert quantile([], 0.5) is None
    assert quantile([(0.1, 0.0), (math.inf, 0.0)], 0.5) is None
    assert quantile([(0.1, 0.0), (math.inf, 3.0)], 0.5) == 0.1


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 2)), max_size=30), st.integers(0, 30))
def test_a_span_tells_what_came_between_its_ends_whenever_a_series_began(
    observed: list[tuple[str, float]], cut: int
) -> None:
    registry = CollectorRegistry()
    seconds = Histogram("s", "s", ["of"], buckets=SECONDS, registry=registry)
    number = Counter("n", "n", ["of"], registry=registry)

    def observe(these: list[tuple[str, float]]) -> None:
        for of, value in these:
            seconds.labels(of).observe(value)
            number.labels(of).inc()

    reader = Reader(registry)
    observe(observed[:cut])
    earlier = reader.read(1.0)
    observe(observed[cut:])
    span = Span(reader, earlier, reader.read(3.0))
    since = [of for of, _ in observed[cut:]]
    assert span.seconds == 2.0
    assert sum(span.grown("n_total").values()) == len(since)
    assert {of: n for (of,), n in span.grown("n_total", "of").items() if n} == {
        of: since.count(of) for of in since
    }
    for bound, count in next(iter(span.buckets("s").values()), []):
        assert count == sum(value <= bound for _, value in observed[cut:])


def test_the_charts_keep_five_minutes_and_the_numbers_one() -> None:
    metrics, now = Metrics(), [0.0]
    console = Console(metrics.registry, State, clock=lambda: now[0])
    for _ in range(2 * POINTS):
        for _ in range(10):
            metrics.began()
            metrics.ended("strop.v1.Strop", "Classify", "OK", 0.02)
        now[0] += INTERVAL_SECONDS
        console.mark()
    facts = json.loads(console.json())
    assert len(facts["points"]) == POINTS
    assert facts["points"][-1]["calls_per_second"] == pytest.approx(2.0)
    assert facts["last"]["seconds"] == pytest.approx(55)
    assert facts["last"]["calls_per_second"] == pytest.approx(2.0)
    assert 15 <= facts["last"]["p99_ms"] <= 20
    assert facts["server"]["status"] == "starting"


def test_however_many_watch_it_is_read_twice_a_second_at_most() -> None:
    now = [0.0]
    console = Console(Metrics().registry, State, clock=lambda: now[0])
    first = console.json()
    now[0] += 0.4
    assert console.json() is first
    now[0] += 0.2
    assert console.json() is not first


def test_every_call_that_asks_a_model_counts_as_one() -> None:
    streamed = {"ClassifyStream", "ModelStreamInfer"}
    assert set(ANSWERING) == set(CALLS) | streamed | {"ModelInfer"}


# What failed.


def test_a_flood_of_one_kind_drives_no_other_out_and_memory_is_bounded() -> None:
    now = [0.0]
    failures = Failures(lambda: now[0])
    failures.add("Classify", "tiny", "INTERNAL", "rare")
    for _ in range(10 * KINDS):
        now[0] += 1
        failures.add("Classify", "tiny", "RESOURCE_EXHAUSTED", "the queue is full")
    assert [(one.message, one.count) for one in failures.latest()] == [
        ("the queue is full", 10 * KINDS),
        ("rare", 1),
    ]
    for number in range(2 * KINDS):
        failures.add("Classify", str(number), "INTERNAL", "other")
    assert len(failures.latest()) == KINDS


def test_workers_that_are_alike_are_told_once_and_others_apart(tmp_path: Path) -> None:
    ready = ModelState("tiny", "3", "READY")
    failed = Failure("Classify", "tiny", "INTERNAL", "m", 2, 5.0)
    one = State(models=(ready,), failures=(failed,))
    two = State(models=(ready, ModelState("tiny", "4", "UNAVAILABLE", "it is broken")), failures=(failed,))
    two.write(tmp_path / "state")
    together = merged([one, State.read(tmp_path / "state")])
    assert [(model.version, model.processes) for model in together.models] == [("3", 2), ("4", 1)]
    assert [(failure.count, failure.last) for failure in together.failures] == [(4, 5.0)]


# Over HTTP.


@pytest.mark.parametrize(
    ("path", "type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/console.css", "text/css; charset=utf-8"),
        ("/console.js", "text/javascript; charset=utf-8"),
        ("/console.json", "application/json"),
    ],
)
def test_every_page_forbids_what_is_not_its_own(server: Any, path: str, type: str) -> None:  # noqa: A002
    reply = Reply(server.metrics_address, "GET", path)
    assert (reply.status, reply.headers["Content-Type"]) == (200, type)
    policy = reply.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert reply.headers["X-Frame-Options"] == "DENY"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.headers["Access-Control-Allow-Origin"] is None
    head = Reply(server.metrics_address, "HEAD", path)
    assert (head.status, head.text) == (200, "")


def test_what_is_not_there_or_not_asked_so_says_what_is(server: Any) -> None:
    address = server.metrics_address
    assert Reply(address, "GET", "/../secret").status == 404
    assert Reply(address, "POST", "/console.json").headers["Allow"] == "GET, HEAD"
    # Without --console-try nobody can ask a model here.
    assert not console_of(server)["server"]["tries"]
    assert attempt(server, text="good film").status == 404


def test_metrics_are_where_they_were(server: Any) -> None:
    reply = Reply(server.metrics_address, "GET", "/metrics?name[]=strop_in_flight_requests")
    assert reply.headers["Content-Type"].startswith("text/plain; version=")
    assert reply.text.splitlines()[-1] == "strop_in_flight_requests 0.0"


def test_a_server_tells_its_models_its_calls_and_its_failures_but_no_text(
    server: Any, channel: grpc.Channel, until: Until
) -> None:
    before = console_of(server)["server"]["uptime_seconds"]
    strop, open_inference = typed_grpc.StropStub(channel), oip_grpc.GRPCInferenceServiceStub(channel)
    strop.Classify(typed.ClassifyRequest(texts=["good film", "bad"]))
    with pytest.raises(grpc.RpcError):
        strop.Classify(typed.ClassifyRequest(model="tiny"))
    request = oip.ModelInferRequest(model_name=HOSTILE, model_version=PRIVATE, id=PRIVATE)
    with pytest.raises(grpc.RpcError):
        open_inference.ModelInfer(request)
    request = oip.ModelInferRequest(model_name="tiny")
    request.inputs.add(name=PRIVATE, datatype="BYTES", shape=[1])
    with pytest.raises(grpc.RpcError):
        open_inference.ModelInfer(request, metadata=[("x-request-id", PRIVATE)])
    # What is told may be half a second old.
    until(lambda: console_of(server)["server"]["uptime_seconds"] > before + 0.5)
    facts = console_of(server)
    assert facts["server"]["status"] == "serving"
    assert facts["server"]["address"] == server.address
    assert facts["models"] == [
        {
            "name": "tiny",
            "version": "3",
            "state": "READY",
            "reason": "",
            "variant": "fp32",
            "provider": "CPUExecutionProvider",
            "pairs": False,
            "processes": 1,
        }
    ]
    (numbers,) = facts["last"]["models"]
    assert numbers["texts_per_second"] > 0
    assert 0 < numbers["stages"]["compute"]["p50_ms"] <= numbers["stages"]["compute"]["p99_ms"]
    assert 0 < numbers["batch_fill"] <= 1
    assert facts["last"]["cost"] is None
    assert facts["last"]["workers"] is None
    kinds = {(one["method"], one["model"], one["code"], one["message"]) for one in facts["failures"]}
    wrong = "the request is wrong; its caller was told what in it is"
    assert {
        ("Classify", "tiny", "INVALID_ARGUMENT", wrong),
        ("ModelInfer", "tiny", "INVALID_ARGUMENT", wrong),
        ("ModelInfer", "", "NOT_FOUND", "no such model or version is served"),
    } <= kinds
    assert HOSTILE not in json.dumps(facts)
    assert PRIVATE not in json.dumps(facts)


def test_the_console_of_workers_tells_of_all_of_them(trying: Any, until: Until) -> None:
    until(lambda: [model["processes"] for model in console_of(trying)["models"]] == [2])
    assert attempt(trying, text="good film").status == 200
    until(lambda: console_of(trying)["last"]["methods"])
    facts = console_of(trying)
    assert facts["last"]["workers"] == {"ready": 2, "deaths": 0}
    assert facts["last"]["cost"]["dollars_per_hour"] == 3600
    assert facts["last"]["cost"]["dollars_spent"] > 0
    # A worker tells what failed within a second.
    attempt(trying, model="other", text="good film")
    until(lambda: [one["code"] for one in console_of(trying)["failures"]] == ["NOT_FOUND"])


def test_a_text_that_is_tried_gets_the_answer_of_any_call(trying: Any) -> None:
    told = attempt(trying, model="tiny", version="3", text="good film").json
    with grpc.insecure_channel(trying.address) as channel:
        reply = typed_grpc.StropStub(channel).Classify(typed.ClassifyRequest(texts=["good film"]))
    best = reply.results[0].labels[0]
    outputs = {one["name"]: one["value"] for one in told["outputs"]}
    assert outputs["label"] == best.label
    assert float(outputs["score"]) == pytest.approx(best.score, rel=1e-3)
    assert (told["variant"], told["truncated"]) == ("fp32", False)
    assert told["microseconds"]["total"] > 0


@pytest.mark.parametrize(
    ("asked", "status", "says"),
    [
        ({"model": "other", "text": "good"}, 404, "NOT_FOUND: model 'other' is not served here"),
        ({}, 400, "INVALID_ARGUMENT: the inputs are none; send 'text'"),
        ({"text": "good", "text_pair": "bad"}, 400, "send 'text'"),
        ({"text": "a" * (LONGEST_TEXT + 1)}, 413, "10001 characters; the console takes at most 10000"),
        ({"text": "a" * 100_000}, 413, "send at most 65536 bytes"),
        ({"text": 7}, 400, "a JSON object of strings"),
        ({"text": "\ud800"}, 400, "text is no Unicode text"),
    ],
)
def test_a_text_that_cant_be_tried_says_why(trying: Any, asked: Any, status: int, says: str) -> None:
    reply = attempt(trying, **asked)
    assert reply.status == status
    assert says in reply.json["error"]


@pytest.mark.parametrize(
    ("body", "type", "status"),
    [
        ("text=good", "application/x-www-form-urlencoded", 415),
        ('{"text": "good"}', "text/plain", 415),
        ("[" * 60_000, "application/json", 400),
        ("nonsense", "application/json; charset=utf-8", 400),
    ],
)
def test_another_sites_form_and_what_is_no_json_are_refused(
    trying: Any,
    body: str,
    type: str,  # noqa: A002
    status: int,
) -> None:
    reply = Reply(trying.metrics_address, "POST", "/try", body, content_type=type)
    assert reply.status == status
    assert reply.json["error"]


def test_a_server_that_listens_everywhere_is_asked_on_loopback() -> None:
    assert reachable("0.0.0.0:8001") == "127.0.0.1:8001"
    assert reachable("[::]:8001") == "[::1]:8001"
    assert reachable("10.0.0.7:8001") == "10.0.0.7:8001"
