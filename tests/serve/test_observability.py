"""What an operator sees: metrics, the dashboard over them, logs and traces."""

import importlib.resources
import json
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as otlp
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as otlp_grpc
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from strop.export.bundle import Encoded
from strop.proto import open_inference_pb2 as oip
from strop.proto import open_inference_pb2_grpc as oip_grpc
from strop.proto import strop_pb2 as typed
from strop.proto import strop_pb2_grpc as typed_grpc
from strop.serve.core import Batch, Query, Share, Work
from strop.serve.observe.metrics import Metrics

Until = Callable[[Callable[[], Any]], Any]
Start = Callable[..., Any]

TINY = {"model": "tiny", "version": "3"}
REQUEST = typed.ClassifyRequest(texts=["good film", "bad"])
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
TRACEPARENT = ("traceparent", f"00-{TRACE}-{PARENT}-01")


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


class Nothing:
    """No text waits."""

    texts = tokens = 0


DASHBOARD = importlib.resources.files("strop.serve.observe").joinpath("dashboard.json")


def batch_of(*tokens: int) -> Batch:
    """A batch of one call with texts of so many tokens, each aligned to 8."""
    encoded = [Encoded(np.zeros(count, np.int64), truncated=False) for count in tokens]
    work = Work(Query(encoded=encoded), 0.0, None, encoded=encoded)  # type: ignore[arg-type]
    return Batch([Share(work, 0, len(tokens))], sum(-(-count // 8) * 8 for count in tokens), 0.0)


def test_batch_fill_is_a_share_of_the_budget_and_a_longer_text_counts_as_full(metrics: Metrics) -> None:
    def value(name: str) -> float | None:
        return metrics.registry.get_sample_value(name, TINY)

    tiny = metrics.of(**TINY)
    tiny.served("fp32", "CPUExecutionProvider", Nothing(), batch_tokens=16)
    tiny.computed(batch_of(4), 0.01)
    assert value("strop_batch_fill_sum") == 0.5
    tiny.computed(batch_of(30), 0.01)
    assert value("strop_batch_fill_sum") == 1.5
    assert value("strop_batch_padding_share_sum") == pytest.approx(4 / 8 + 2 / 32)


def test_an_answer_that_is_too_late_has_no_slack_but_does_not_lower_the_sum(metrics: Metrics) -> None:
    value = metrics.registry.get_sample_value
    metrics.of(**TINY).slack(0.25)
    metrics.of(**TINY).slack(-1.0)
    assert value("strop_deadline_slack_seconds_bucket", TINY | {"le": "0.0"}) == 1
    assert value("strop_deadline_slack_seconds_sum", TINY) == 0.25


def test_a_forecast_is_off_by_as_much_either_way(metrics: Metrics) -> None:
    metrics.of(**TINY).forecast_error(0.002)
    metrics.of(**TINY).forecast_error(-0.002)
    assert metrics.registry.get_sample_value("strop_forecast_error_seconds_sum", TINY) == pytest.approx(
        0.004
    )


def test_the_event_loop_is_watched_while_the_server_runs(server: Any, until: Until) -> None:
    seen = server.metric("strop_event_loop_lag_seconds_count")
    until(lambda: server.metric("strop_event_loop_lag_seconds_count") > seen)


def expressions(dashboard: dict[str, Any]) -> Iterator[str]:
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]["query"]


def test_the_dashboard_shows_every_metric_and_no_other(
    start_server: Start, tiny_bundle: Path, tmp_path: Path, until: Until
) -> None:
    routes = tmp_path / "routes.toml"
    routes.write_text("[tiny]\nweights = { 3 = 1 }")
    options = ("--workers", "2", "--dollars-per-hour", "0.36", "--routes", str(routes))
    feedback = ("--feedback", str(tmp_path / "feedback.db"))
    server = start_server(tiny_bundle, *options, *feedback)
    with grpc.insecure_channel(server.address) as channel:
        typed_grpc.StropStub(channel).Classify(REQUEST)
    until(lambda: "strop_drift_psi" in {name for name, _ in server.metrics()})
    sampled = {name for name, _ in server.metrics()}
    dashboard = json.loads(DASHBOARD.read_text())
    named = {name for text in expressions(dashboard) for name in re.findall(r"\bstrop_\w+", text)}
    named -= {name for name in named if name.startswith("strop_gpu_")}  # see test_gpu_metrics.py
    assert named <= sampled
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in sampled}
    assert families == {re.sub(r"_(bucket|sum|count)$", "", name) for name in named}


def test_the_dashboard_can_be_imported_as_it_is() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    assert dashboard["schemaVersion"] >= 38  # Grafana 10
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    squares = [
        (panel["gridPos"]["x"] + column, panel["gridPos"]["y"] + line)
        for panel in panels
        for column in range(panel["gridPos"]["w"])
        for line in range(panel["gridPos"]["h"])
    ]
    assert len(set(squares)) == len(squares)
    assert max(x for x, _ in squares) < 24
    sources = [target["datasource"] for panel in panels for target in panel.get("targets", ())]
    assert all(source == {"type": "prometheus", "uid": "${datasource}"} for source in sources)


def ended_calls(server: Any) -> list[dict[str, Any]]:
    lines = map(json.loads, server.errors.read_text().splitlines())
    return [line for line in lines if line["message"] == "a call ended"]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_logged_call_tells_its_id(start_server: Start, tiny_bundle: Path, workers: int) -> None:
    server = start_server(tiny_bundle, "--log-level", "debug", "--workers", str(workers))
    with grpc.insecure_channel(server.address) as channel:
        strop, open_inference = typed_grpc.StropStub(channel), oip_grpc.GRPCInferenceServiceStub(channel)
        with pytest.raises(grpc.RpcError):
            open_inference.ModelInfer(oip.ModelInferRequest(model_name="other", id="seven"))
        strop.Classify(REQUEST, metadata=[("x-request-id", "eight"), TRACEPARENT])
        strop.Classify(REQUEST, metadata=[TRACEPARENT])
        strop.Classify(REQUEST, metadata=[("traceparent", "nonsense")])
    server.signal()
    assert server.exit_code() == 0
    told = {(line["method"], line["code"], line.get("request_id")) for line in ended_calls(server)}
    assert told == {
        ("ModelInfer", "NOT_FOUND", "seven"),
        ("Classify", "OK", "eight"),
        ("Classify", "OK", TRACE),
        ("Classify", "OK", None),
    }
    assert all(("worker" in line) == (workers > 1) for line in ended_calls(server))


class Collector(otlp_grpc.TraceServiceServicer):
    """An OpenTelemetry collector that keeps what it is sent."""

    def __init__(self) -> None:
        self.resources: list[dict[str, str]] = []
        self.spans: list[Span] = []
        self._lock = threading.Lock()

    def Export(  # noqa: N802
        self, request: otlp.ExportTraceServiceRequest, context: grpc.ServicerContext
    ) -> otlp.ExportTraceServiceResponse:
        with self._lock:
            for sent in request.resource_spans:
                self.resources.append(attributes(sent.resource))
                self.spans += [span for scope in sent.scope_spans for span in scope.spans]
        return otlp.ExportTraceServiceResponse()

    def children(self, parent: Span) -> list[Span]:
        found = [span for span in self.spans if span.parent_span_id == parent.span_id]
        return sorted(found, key=lambda span: span.start_time_unix_nano)


def attributes(of: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in of.attributes}


@pytest.fixture
def collector() -> Iterator[tuple[Collector, str]]:
    kept = Collector()
    server = grpc.server(ThreadPoolExecutor(1))
    otlp_grpc.add_TraceServiceServicer_to_server(kept, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield kept, f"http://127.0.0.1:{port}"
    server.stop(None).wait()


def test_a_call_is_a_span_of_its_callers_trace_with_its_stages_beneath(
    start_server: Start, tiny_bundle: Path, collector: tuple[Collector, str]
) -> None:
    kept, endpoint = collector
    server = start_server(tiny_bundle, "--otlp-endpoint", endpoint)
    with grpc.insecure_channel(server.address) as channel:
        strop = typed_grpc.StropStub(channel)
        timings = strop.Classify(REQUEST, metadata=[TRACEPARENT]).timings
        with pytest.raises(grpc.RpcError):
            strop.Classify(typed.ClassifyRequest())
    # What is not yet sent goes out with the drain.
    server.signal()
    assert server.exit_code() == 0, server.errors.read_text()

    assert {resource["service.name"] for resource in kept.resources} == {"strop"}
    calls = [span for span in kept.spans if span.kind == Span.SPAN_KIND_SERVER]
    assert {span.name for span in calls} == {"strop.v1.Strop/Classify"}
    (answered,) = [span for span in calls if span.trace_id.hex() == TRACE]
    (refused,) = [span for span in calls if span is not answered]
    assert answered.parent_span_id.hex() == PARENT
    assert attributes(answered) == {
        "rpc.system.name": "grpc",
        "rpc.method": "strop.v1.Strop/Classify",
        "rpc.response.status_code": "OK",
        "strop.model": "tiny",
        "strop.version": "3",
        "strop.variant": "fp32",
        "strop.texts": 2,
    }
    assert attributes(refused)["rpc.response.status_code"] == "INVALID_ARGUMENT"
    assert refused.parent_span_id == b""
    assert {span.status.code for span in calls} == {Status.STATUS_CODE_UNSET}
    assert kept.children(refused) == []
    stages = kept.children(answered)
    assert [span.name for span in stages] == ["tokenise", "queue", "compute"]
    lengths = [span.end_time_unix_nano - span.start_time_unix_nano for span in stages]
    told = [timings.tokenise_us, timings.queue_us, timings.compute_us]
    assert [round(length / 1000) for length in lengths] == pytest.approx(told, abs=1)
    assert all(one.end_time_unix_nano == two.start_time_unix_nano for one, two in pairwise(stages))


def test_every_worker_sends_its_traces(
    start_server: Start, tiny_bundle: Path, collector: tuple[Collector, str]
) -> None:
    kept, endpoint = collector
    server = start_server(tiny_bundle, "--otlp-endpoint", endpoint, "--workers", "2")
    for _ in range(8):
        with grpc.insecure_channel(server.address) as channel:
            typed_grpc.StropStub(channel).Classify(REQUEST)
    server.signal()
    assert server.exit_code() == 0, server.errors.read_text()
    assert len([span for span in kept.spans if span.kind == Span.SPAN_KIND_SERVER]) == 8


def test_a_collector_that_is_away_holds_nothing_up(start_server: Start, tiny_bundle: Path) -> None:
    server = start_server(tiny_bundle, "--otlp-endpoint", "http://127.0.0.1:1")
    with grpc.insecure_channel(server.address) as channel:
        assert typed_grpc.StropStub(channel).Classify(REQUEST).results
    server.signal()
    assert server.exit_code() == 0, server.errors.read_text()


def test_tracing_without_its_extra_says_what_to_install(tiny_bundle: Path) -> None:
    words = [str(tiny_bundle), "--address", "127.0.0.1:0", "--metrics-address", "127.0.0.1:0"]
    script = f"""
import sys
sys.modules["opentelemetry"] = None
from strop.cli import main
sys.exit(main(["serve", *{words}, "--otlp-endpoint", "http://127.0.0.1:4317"]))
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr == (
        "strop: --otlp-endpoint needs the Python package 'opentelemetry'; pip install 'strop[otel]'\n"
    )
