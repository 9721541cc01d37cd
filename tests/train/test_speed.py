"""What a training must compute, against torch's own count, and what is said of its speed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from strop.tasks import TASKS
from strop.train.config import TrainConfig
from strop.train.encoder import Encoder
from strop.train.flops import TrainingFlops, layers_of, matrix_flops
from strop.train.speed import matrix_peak
from strop.train.weights import trainable

LABELS = ("bad", "good")
TEXTS, TOKENS = 4, 24


def counted(model: Any) -> int:
    """What torch's dispatcher sees of a step's matrix products."""
    ids = torch.arange(TEXTS * TOKENS).reshape(TEXTS, TOKENS) % 40 + 4
    # SDPA's kernel for CPUs is not among those that torch can count.
    model.train().set_attn_implementation("eager")
    with FlopCounterMode(display=False) as counter:
        mask = torch.ones_like(ids)
        model(input_ids=ids, attention_mask=mask, labels=torch.tensor([0, 1, 0, 1])).loss.backward()
    return int(counter.get_total_flops())


@pytest.mark.parametrize(
    ("family", "method"), [("bert", "full"), ("bert", "lora"), ("mpnet", "full"), ("distilbert", "ia3")]
)
def test_the_formula_is_what_torch_counts(
    tmp_path: Path, make_encoder: Callable[[Path, str], None], family: str, method: str
) -> None:
    make_encoder(tmp_path, family)
    config = TrainConfig(Path("data"), model=str(tmp_path), out=Path("run"), method=method)
    model = trainable(Encoder.open(config.model), TASKS[config.task], LABELS, config, 99)
    foreseen = TrainingFlops.of(model).total(TEXTS * TOKENS, TEXTS * TOKENS**2)
    # The head is computed once a text; beside frozen embeddings the first layer of the two takes less.
    assert foreseen == pytest.approx(counted(model), rel=0.02 if method == "full" else 0.12)


def test_the_matrices_of_a_tiny_encoder_by_hand(
    tmp_path: Path, make_encoder: Callable[[Path, str], None]
) -> None:
    make_encoder(tmp_path, "bert")
    config = TrainConfig(Path("data"), model=str(tmp_path), out=Path("run"), method="full")
    model = trainable(Encoder.open(config.model), TASKS[config.task], LABELS, config, 99)
    # Each of two layers, 32 wide: four matrices of attention and two that widen to 64 and back.
    flops = TrainingFlops.of(model)
    assert flops.token == 6 * 2 * (4 * 32 * 32 + 2 * 32 * 64)
    assert flops.pair == 12 * 2 * 32
    for one in layers_of(model).parameters():
        one.requires_grad = False
    assert TrainingFlops.of(model).token == flops.token * 4 // 6
    assert matrix_flops(torch.nn.Linear(5, 3)) == 6 * 15


def test_a_large_product_has_a_rate() -> None:
    peak = matrix_peak("fp32", 1)
    assert 1e9 < peak < 1e15
    assert matrix_peak("fp32", 1) == peak


def test_a_run_says_how_quickly_it_learnt(tiny_run: Path) -> None:
    speed = json.loads((tiny_run / "run.json").read_text())["training"]["speed"]
    assert 0 < speed["tokens_per_second"] < speed["computed_tokens_per_second"]
    assert 0 < speed["flop_utilisation"] < speed["computed_flop_utilisation"] < 1
    assert speed["seconds"] > 0
    assert "tokens a second" in (tiny_run / "report.md").read_text()
