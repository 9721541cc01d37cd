"""The options of a benchmark."""

from pathlib import Path
from typing import Any

import pytest

from strop.bench.config import BenchConfig
from strop.errors import InputError


@pytest.mark.parametrize(
    ("option", "value", "flag"),
    [
        ("seconds", 0.0, "--seconds is 0.0"),
        ("seconds", float("nan"), "--seconds is nan"),
        ("seconds", float("inf"), "--seconds is inf"),
        ("warmup_seconds", -1.0, "--warmup-seconds is -1.0"),
        ("in_flight", 0, "--in-flight is 0"),
        ("rate", -3.0, "--rate is -3.0"),
        ("rate", 1e9, "--rate 1e\\+09 over --seconds 30"),
        ("slo_ms", 0.0, "--slo-ms is 0.0"),
        ("deadline_ms", 50.0, "--deadline-ms is 50, below --slo-ms 100"),
        ("texts_per_call", 0, "--texts-per-call is 0"),
        ("channels", -1, "--channels is -1"),
        ("utilisation", 1.5, "--utilisation is 1.5"),
        ("machines", (), "--machines is empty"),
        ("max_errors", 1.0, "--max-errors is 1.0"),
        ("burst_factor", 1.0, "--burst-factor is 1.0; it must be above 1"),
        ("burst_seconds", 0.0, "--burst-seconds is 0.0"),
        ("trace", Path("t.csv"), "--trace t.csv: --arrivals is poisson; it must be trace"),
        ("ramp", (50.0, 10.0, 3), "--ramp is 50 10 3; give a rate above 0, a higher one"),
        ("ramp", (5.0, 10.0, 1), "at least 2 steps"),
        ("soak_seconds", -1.0, "--soak-seconds is -1.0"),
        ("server_pid", 0, "--server-pid is 0; there is no such process here"),
        ("soak_share", 1.1, "--soak-share is 1.1"),
        ("repeats", 0, "--repeats is 0"),
        ("clients", 1000, "--clients is 1000; there are "),
    ],
)
def test_an_option_that_makes_no_sense_is_named_with_its_value(option: str, value: Any, flag: str) -> None:
    with pytest.raises(InputError, match=flag):
        BenchConfig("127.0.0.1:1", texts=Path("x"), **{option: value})


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({}, "--texts is missing; name a file of texts, or give --lengths"),
        ({"lengths": "fixed:9"}, "--lengths fixed:9 needs --promise, the bundle whose tokenizer counts"),
        ({"lengths": "long", "promise": Path("b")}, "--lengths long; give fixed:32, uniform:8:64 or"),
        (
            {"lengths": "fixed:9", "promise": Path("b"), "label_column": "class"},
            "--label-column class: synthetic texts have none; leave it out",
        ),
        (
            {"lengths": "fixed:9", "promise": Path("b"), "arrivals": "trace"},
            "--arrivals trace: synthetic texts have no arrivals; give --trace",
        ),
    ],
)
def test_texts_come_from_a_file_or_are_made(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        BenchConfig("127.0.0.1:1", **options)


def test_loadgen_counts_single_texts() -> None:
    with pytest.raises(InputError, match="--texts-per-call is 2; with --loadgen it must be 1"):
        BenchConfig("127.0.0.1:1", texts=Path("x"), loadgen="server", texts_per_call=2)


@pytest.mark.parametrize(
    "others", [{"loadgen": "server"}, {"ramp": (1.0, 2.0, 2)}, {"repeats": 2}, {"soak_seconds": 1.0}]
)
def test_two_servers_in_turns_leave_no_room_for_other_modes(others: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"--against 127\.0\.0\.1:2 leaves no room for"):
        BenchConfig("127.0.0.1:1", texts=Path("x"), against="127.0.0.1:2", **others)
