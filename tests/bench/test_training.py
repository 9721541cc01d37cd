"""The training benchmark: real trainings on random tokens, and what is said of them."""

import json
from pathlib import Path
from typing import Any

import pytest

from strop.bench.training.config import TrainingConfig
from strop.bench.training.suite import rows_of
from strop.cli import main
from strop.errors import InputError

SPEED: dict[str, Any] = {
    "tokens_per_second": 9e5,
    "computed_tokens_per_second": 1e6,
    "flop_utilisation": 0.35,
    "peak_flops_per_second": 7e14,
    "precision": "bf16",
    "device": "NVIDIA H100",
}


def test_a_tiny_encoder_is_trained_and_reported(
    tiny_encoder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = (
        "--methods",
        "lora",
        "--batch-size",
        "4",
        "--tokens",
        "24",
        "--shortest",
        "8",
        "--steps",
        "4",
    )
    command = ["bench-train", "--models", str(tiny_encoder), *options, "--rounds", "1", "--threads", "1"]
    assert main([*command, "--precision", "fp32", "--out", str(tmp_path)]) == 0
    (page,) = tmp_path.glob("*.json")
    told = json.loads(page.read_text())
    assert told["setting"] == "CPU, fp32, batches of 4 texts of 8 to 24 random tokens"
    (rows,) = told["parts"].values()
    own, computed, utilisation = (row["figure"] for row in rows)
    assert 0 < own < computed
    assert 0 < utilisation < 1
    assert "0 of 0 targets missed" in capsys.readouterr().out


def test_the_target_is_for_mpnet_in_bf16_on_a_gpu() -> None:
    config = TrainingConfig()
    row = rows_of("mpnet-base, full", [SPEED], config)[-1]
    assert row.met is False
    assert rows_of("mpnet-base, full", [SPEED | {"flop_utilisation": 0.4}], config)[-1].met
    for name, changed in (
        ("mpnet-base, lora", {}),
        ("mpnet-base, full", {"device": "CPU"}),
        ("mpnet-base, full", {"precision": "tf32"}),
    ):
        assert rows_of(name, [SPEED | changed], config)[-1].target is None
    assert rows_of("mpnet-base, full", [SPEED], TrainingConfig(tokens=64))[-1].target is None


def test_a_model_that_is_not_there_is_said_before_anything_is_trained() -> None:
    from strop.train.benchmark import Load, measure

    with pytest.raises(InputError, match=r"model \./nowhere is not a folder"):
        measure(Load(model="./nowhere"))


def test_texts_that_are_shorter_than_the_shortest_are_refused() -> None:
    with pytest.raises(InputError, match="--shortest is 64; it is at most --tokens, 32"):
        TrainingConfig(tokens=32, shortest=64)
