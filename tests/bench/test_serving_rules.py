"""What the serving benchmark decides: targets, ratios, plans, mixes, windows; no servers here."""

import asyncio
import io
import itertools
import json
import math
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from strop.bench.client import Outcome
from strop.bench.load import Samples
from strop.bench.protocols import TypedWire
from strop.bench.served import Served
from strop.bench.serving import mixed, offline, overload, soak, soak_load
from strop.bench.serving.config import ServingConfig
from strop.bench.serving.efficiency import typical_texts
from strop.bench.serving.streams import Streams
from strop.bench.serving.traffic import alternate, encode, latency_percentile
from strop.bench.stream_protocols import OpenInferenceStreamWire, TypedStreamWire
from strop.bench.targets.report import TargetReport, digits
from strop.bench.targets.rows import Row, Target, ratios, untargeted
from strop.export.bundle import Bundle
from strop.host import Host
from strop.proto import open_inference_pb2, strop_pb2
from strop.tasks import TASKS

SERVED = Served("m", TASKS["text-classification"])


@pytest.mark.parametrize(
    ("target", "values", "met"),
    [
        (Target("at least", 0.85), [0.80, 0.86, 0.90], True),
        (Target("at least", 0.85), [0.80, 0.84, 0.90], False),
        (Target("at most", 3.0), [3.0], True),
        (Target("below", 3.0), [3.0], False),
        (Target("at most", 3.0), [1.0, math.inf, math.inf], False),
        (Target("at least", 0.85), [math.nan, 1.0, 1.0], False),
        (None, [1.0], None),
    ],
)
def test_the_median_round_is_held_against_the_target(
    target: Target | None, values: list[float], met: bool | None
) -> None:
    assert Row("a figure", values, target).met is met


def test_ratios_are_taken_round_by_round() -> None:
    assert ratios([90.0, 45.0], [100.0, 50.0]) == [0.9, 0.9]
    assert ratios([1.0], [0.0]) == [math.inf]
    assert math.isnan(ratios([0.0], [0.0])[0])


def test_a_figure_for_comparison_has_no_target() -> None:
    (row,) = untargeted([Row("a figure", [1.0], Target("at least", 2.0), "ms", "a note")])
    assert row == Row("a figure", [1.0], None, "ms", "a note")


def test_every_plan_uses_all_cores() -> None:
    found = offline.plans(4)
    assert {(plan.instances, plan.threads) for plan in found} == {(4, 1), (2, 2), (1, 4)}
    assert len(found) == len(set(found)) == 3 * len(offline.BUDGETS) * 3


def test_the_plan_chosen_is_the_best_by_median_not_by_one_lucky_measurement() -> None:
    candidates = offline.plans(1)
    lucky, best = candidates[3], candidates[5]
    measured = Counter[offline.Plan]()

    def measure(plan: offline.Plan) -> float:
        measured[plan] += 1
        if plan == lucky:
            return 200.0 if measured[plan] == 1 else 90.0
        return 100.0 if plan == best else 80.0

    assert offline.choose(candidates, measure) == best
    assert max(measured.values()) == 1 + offline.AGAIN


def test_the_offline_engine_works_off_every_text_and_answers_as_alone(tiny_bundle: Path) -> None:
    bundle = Bundle.open(tiny_bundle)
    engine = offline.Offline(bundle, "fp32", ["good film", "bad", "not a very good film"])
    for plan in offline.plans(2):
        assert engine.rate(plan, 0.0) > 0
        assert engine.rate(plan, 0.01) > 0
    assert engine.lengths == [4, 3, 7]
    rows = engine.answers()
    assert [row.shape for row in rows] == [(3,)] * 3
    assert engine.run_seconds(0, 1) > 0


def test_typical_texts_are_all_those_of_the_median_length() -> None:
    assert typical_texts([9, 3, 5, 5, 1]) == [2, 3]
    assert typical_texts([7]) == [0]


def test_contenders_take_turns_and_every_other_round_goes_backwards() -> None:
    order: list[str] = []

    async def measure(name: str) -> int:
        order.append(name)
        return len(order)

    found = asyncio.run(
        alternate(3, {"a": lambda: measure("a"), "b": lambda: measure("b")}, lambda _: None)
    )
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert found == {"a": [1, 4, 5], "b": [2, 3, 6]}


def test_calls_of_several_texts_hold_every_text_and_the_last_is_filled_up() -> None:
    requests = encode(TypedWire(SERVED), ["a", "b", "c"], 2)
    texts = [list(strop_pb2.ClassifyRequest.FromString(request).texts) for request in requests]
    assert texts == [["a", "b"], ["c", "a"]]


def samples(latency: list[float], statuses: list[str]) -> Samples:
    count = len(latency)
    intended = np.arange(count, dtype=np.float64)
    return Samples(
        request=np.arange(count),
        intended=intended,
        sent=intended,
        done=intended + np.array(latency),
        outcomes=tuple(Outcome(status) for status in statuses),
        begin=0.0,
        end=float(count),
        client_cpu=0.0,
    )


def test_a_call_without_an_answer_took_for_ever() -> None:
    one_in_a_hundred = samples([0.25] * 200, ["OK"] * 198 + ["DEADLINE_EXCEEDED"] * 2)
    assert latency_percentile(one_in_a_hundred, 99.0) == 0.25
    more = samples([0.25] * 200, ["OK"] * 197 + ["DEADLINE_EXCEEDED"] * 3)
    assert latency_percentile(more, 99.0) == math.inf
    assert latency_percentile(more, 99.0, overload.within(more, 0.0, 150.0)) == 0.25
    assert math.isnan(latency_percentile(more, 99.0, overload.within(more, 0.0, 50.0)))


def test_the_burst_stands_between_two_calm_stretches() -> None:
    times = overload.steps((100.0, 600.0, 100.0), (2.0, 3.0, 4.0), seed=5)
    assert (np.diff(times) >= 0).all()
    counts = np.histogram(times, bins=[0.0, 2.0, 5.0, 9.0])[0]
    assert counts.tolist() == [200, 1800, 400]


@given(st.floats(0.1, 100.0), st.floats(0.1, 100.0), st.floats(0.1, 1000.0))
def test_windows_cover_the_time_and_hold_enough_calls(start: float, length: float, rate: float) -> None:
    found = overload.windows(start, start + length, rate)
    assert found[0][0] == start
    assert found[-1][1] == pytest.approx(start + length)
    assert all(first[1] == second[0] for first, second in itertools.pairwise(found))
    sizes = [(end - begin) * rate for begin, end in found]
    assert len(found) == 1 or min(sizes) >= overload.WINDOW_CALLS * (1 - 1e-6)


def test_the_mix_has_its_share_of_long_texts() -> None:
    numbers = list(itertools.islice(mixed.mix(0), 10_000))
    long = sum(number >= mixed.TEXTS for number in numbers)
    assert long / len(numbers) == pytest.approx(mixed.LONG_SHARE, abs=0.02)
    assert set(numbers) <= set(range(2 * mixed.TEXTS))


@given(st.integers(1, 40), st.integers(3, 32))
def test_a_text_is_cut_to_the_tokens_wanted(tiny_bundle: Path, words: int, tokens: int) -> None:
    encoder = Bundle.open(tiny_bundle).text_encoder()
    text = mixed.cut(["film"] * words, tokens, encoder)
    # One token a word, and two special ones.
    assert len(text.split()) == max(1, min(words, tokens - 2))


def test_an_answer_is_right_only_bit_for_bit() -> None:
    labels, expected = ("bad", "good"), np.array([0.25, 0.75], dtype=np.float32)
    next_above = float(np.nextafter(np.float32(0.75), np.float32(1)))
    assert soak_load.is_right([("good", 0.75), ("bad", 0.25)], labels, expected)
    assert soak_load.is_right([("good", 0.75)], labels, expected)
    assert not soak_load.is_right([("good", next_above), ("bad", 0.25)], labels, expected)
    assert not soak_load.is_right([("bad", 0.25), ("good", 0.75)], labels, expected)
    assert not soak_load.is_right([("good", 0.75), ("good", 0.75)], labels, expected)
    assert not soak_load.is_right([("fine", 0.75)], labels, expected)


def test_log_lines_that_are_errors_are_found() -> None:
    fine, error = '{"level": "warning"}', '{"level": "error", "message": "a call failed"}'
    assert soak.errors(f"{fine}\n{error}\nTraceback\n") == [error, "Traceback"]
    assert soak.errors("") == []


def test_memory_growth_is_between_the_medians_of_the_edges() -> None:
    assert soak.growth([100] * 10 + [500] + [100] * 79 + [110] * 10) == pytest.approx(0.1)
    assert soak.growth([100]) == 0


def test_every_kind_of_soak_call_has_its_share() -> None:
    assert sum(soak_load.KINDS.values()) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1234.5, "1,234"),
        (12.34, "12.3"),
        (1.234, "1.23"),
        (0.8765, "0.876"),
        (-0.5, "-0.500"),
        (7.0, "7"),
        (math.inf, "never"),
        (math.nan, "n/a"),
    ],
)
def test_a_figure_has_three_digits(value: float, shown: str) -> None:
    assert digits(value) == shown


def test_the_report_says_what_was_missed_and_what_could_not_be_measured(tmp_path: Path) -> None:
    rows = [
        Row("share", [0.9, 0.8, 0.7], Target("at least", 0.85), note="of offline"),
        Row("p99", [math.inf], Target("at most", 3.0), "ms"),
        Row("rate", [100.0], unit="texts/s"),
    ]
    host = Host("box", "a CPU", 2, 2**30, "Linux")
    report = TargetReport(
        "strop.bench-serve/1",
        "Serving against its targets",
        datetime(2026, 1, 2, 3, 4, 5).astimezone(),
        host,
        0.0,
        {"strop": "1"},
        ServingConfig(out=tmp_path),
        "m 1, targets read on fp32",
        {"efficiency": rows},
        {"soak": "the server went away"},
    )
    assert report.verdict == "2 of 2 targets missed; soak could not be measured"
    page = report.write()
    assert page.name == "2026-01-02T030405-box.md"
    text = page.read_text()
    assert "| share | ≥ 0.85 | 0.800 | – | 0.700 – 0.900 | MISSED |" in text
    assert "| p99 | ≤ 3 | never | ms | – | MISSED |" in text
    assert "- soak could not be measured: the server went away" in text
    found = json.loads(page.with_suffix(".json").read_text())
    assert found["missed"] == ["share", "p99"]
    assert found["parts"]["efficiency"][1]["figure"] is None
    assert found["parts"]["efficiency"][0]["values"] == [0.9, 0.8, 0.7]


def test_a_figure_stands_on_one_line_of_80_columns(tmp_path: Path) -> None:
    names = (
        "int8: over a stream / offline",
        "swaps: p99 with / without",
        "memory growth at 3 × capacity",
    )
    rows = [
        Row(names[0], [0.952, 0.961, 1.104], Target("at least", 0.95)),
        Row(names[1], [1.31, 12.25], Target("at most", 1.2)),
        Row(names[2], [1234.0, 5678.0], unit="texts/s"),
    ]
    host, now = Host("box", "a CPU", 2, 2**30, "Linux"), datetime.now().astimezone()
    report = TargetReport(
        "s/1", "Targets", now, host, 0.0, {}, ServingConfig(out=tmp_path), "m 1", {"p": rows}
    )
    console = Console(file=io.StringIO(), width=80)
    report.show(console)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    for name, figures in zip(names, ("0.952 – 1.10", "1.31 – 12.2", "1,234 – 5,678"), strict=True):
        assert any(line.strip().startswith(name) and figures in line for line in lines), lines


def test_a_tagged_stream_request_is_the_request_with_its_id() -> None:
    typed = TypedStreamWire(SERVED)
    message = strop_pb2.ClassifyStreamRequest.FromString(typed.tag(typed.encode([("a",)], 0), "7"))
    assert (message.id, message.request.model, list(message.request.texts)) == ("7", "m", ["a"])
    open_inference = OpenInferenceStreamWire(SERVED)
    tagged = open_inference.tag(open_inference.encode([("a",)]), "8")
    request = open_inference_pb2.ModelInferRequest.FromString(tagged)
    assert (request.id, request.model_name, len(request.inputs)) == ("8", "m", 1)


def test_a_stream_reply_says_whose_it_is_and_how_it_failed() -> None:
    typed, open_inference = TypedStreamWire(SERVED), OpenInferenceStreamWire(SERVED)
    failure = strop_pb2.Failure(code=3, message="no texts")
    reply = strop_pb2.ClassifyStreamResponse(id="7", failure=failure).SerializeToString()
    read = typed.read_message(reply)
    assert (read.id, read.status, read.detail) == ("7", "INVALID_ARGUMENT", "no texts")
    answer = open_inference_pb2.ModelInferResponse(id="8")
    read = open_inference.read_message(
        open_inference_pb2.ModelStreamInferResponse(infer_response=answer).SerializeToString()
    )
    assert (read.id, read.status) == ("8", "OK")


def test_a_stream_knows_an_answer_that_nobody_waits_for() -> None:
    wire = TypedStreamWire(SERVED)

    async def twice(requests: Any, _: Any) -> AsyncIterator[bytes]:
        async for request in requests:
            identity = strop_pb2.ClassifyStreamRequest.FromString(request).id
            reply = strop_pb2.ClassifyStreamResponse(id=identity, response=strop_pb2.ClassifyResponse())
            yield reply.SerializeToString()
            yield reply.SerializeToString()

    async def scene() -> None:
        server = grpc.aio.server()
        handlers = {"ClassifyStream": grpc.stream_stream_rpc_method_handler(twice)}
        server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("strop.v1.Strop", handlers)])
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with Streams(f"127.0.0.1:{port}", wire) as streams:
            request = wire.encode([("a",)])
            outcomes = await asyncio.gather(*(streams.call(request) for _ in range(8)))
            # In order: once the ninth is answered, the eight second answers have come.
            outcomes.append(await streams.call(request))
            assert [outcome.status for outcome in outcomes] == ["OK"] * 9
            assert streams.strays >= 8
            await server.stop(None)
            assert (await streams.call(request)).status == "UNAVAILABLE"

    asyncio.run(scene())


def test_a_request_gets_its_priority() -> None:
    wire = TypedWire(SERVED)
    request = wire.with_priority(wire.encode([("a",)]), "bulk")
    message = strop_pb2.ClassifyRequest.FromString(request)
    assert (message.priority, list(message.texts)) == (strop_pb2.PRIORITY_BULK, ["a"])
