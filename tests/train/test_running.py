"""How the machine is used: accumulation, checkpointing, TensorBoard, memory foreseen and run out of."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from transformers import set_seed

from strop.errors import InputError, StropError
from strop.tasks import TASKS, Example
from strop.train.batches import Collator, EncodedSplit, Item
from strop.train.command import train
from strop.train.config import TrainConfig
from strop.train.device import arithmetic
from strop.train.encoder import Encoder
from strop.train.heads import HEADS
from strop.train.loop import fit, steps_per_epoch
from strop.train.losses.objective import own_objective
from strop.train.memory import estimate_memory
from strop.train.out_of_memory import named_remedies
from strop.train.weights import trainable

TASK = TASKS["text-classification"]
LABELS = ("bad", "good")


@pytest.fixture
def config(config: TrainConfig) -> TrainConfig:
    """In small batches, as any machine computes them."""
    return replace(config, batch_size=4, precision="fp32")


OWN_LOSS = own_objective(HEADS[TASK.head])
ITEMS = [Item(input_ids=[2, 10 + place % 7, 45 + place % 2, 3], labels=place % 2) for place in range(48)]


def _split(items: Sequence[Item]) -> EncodedSplit:
    """Items with the examples that they would be of."""
    examples = [Example("text", LABELS[item["labels"]]) for item in items]
    return EncodedSplit(examples, [1] * len(items), items, [()] * len(examples))


def _fitted(
    config: TrainConfig, items: Sequence[Item] = ITEMS
) -> tuple[list[dict[str, Any]], dict[str, Tensor]]:
    """The history, and the trained tensors."""
    set_seed(config.seed)
    model = trainable(Encoder.open(config.model), TASK, LABELS, config, 99)
    history = fit(
        model,
        _split(items),
        _split(items[:8]),
        task=TASK,
        labels=LABELS,
        pad_token_id=1,
        objective=OWN_LOSS,
        config=config,
        out=config.out,
    )
    return history, {name: one for name, one in model.named_parameters() if one.requires_grad}


def test_batches_that_make_one_step_weigh_as_much_as_one_batch(config: TrainConfig, tmp_path: Path) -> None:
    whole = replace(config, batch_size=8, epochs=4, encoder_dropout=0.0, head_dropout=0.0)
    parts = replace(whole, batch_size=2, accumulation=4)
    assert steps_per_epoch(48, whole) == steps_per_epoch(48, parts) == 6
    assert steps_per_epoch(49, parts) == 7
    same = ITEMS[:1] * 48
    one, other = (
        next(row for row in _fitted(run, same)[0] if "loss" in row)
        for run in (whole, replace(parts, out=tmp_path / "parts"))
    )
    assert one == pytest.approx(other, rel=1e-3)


@pytest.mark.parametrize("method", ["lora", "full", "prompt"])
def test_checkpointed_activations_change_nothing_that_is_learnt(
    config: TrainConfig, tmp_path: Path, method: str
) -> None:
    plain = replace(config, method=method, virtual_tokens=3, lora_dropout=0.1)
    _, kept = _fitted(plain)
    _, computed = _fitted(replace(plain, gradient_checkpointing=True, out=tmp_path / "checkpointed"))
    for name, one in kept.items():
        torch.testing.assert_close(computed[name], one, msg=name)


def test_prefix_tuning_refuses_checkpointed_activations(config: TrainConfig) -> None:
    with pytest.raises(InputError, match="would lose the keys of --method prefix; leave it out"):
        replace(config, method="prefix", gradient_checkpointing=True)


def test_tensorboard_is_told_losses_and_scores(tiny_run: Path) -> None:
    events = EventAccumulator(str(tiny_run / "tensorboard")).Reload()
    losses = events.Scalars("train/loss")
    assert [loss.step for loss in losses] == list(range(10, 145, 10))
    assert [score.step for score in events.Scalars("eval/macro_f1")] == [
        24 * epoch for epoch in range(1, 7)
    ]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("precision", ["fp16", "tf32"])
def test_numbers_for_a_gpu_are_refused_without_one(config: TrainConfig, precision: Any) -> None:
    with pytest.raises(InputError, match=f"--precision {precision} needs a CUDA GPU, and there is none"):
        arithmetic(precision)
    with pytest.raises(InputError, match="needs a CUDA GPU"):
        train(replace(config, precision=precision))
    assert not config.out.exists()


def test_memory_that_does_not_suffice_is_said_in_options(config: TrainConfig) -> None:
    expected = (
        r"out of memory; halve --batch-size \(4\) and double --accumulation \(1\), or add"
        r" --gradient-checkpointing, or lower --max-tokens \(32\); strop train --check"
    )
    with pytest.raises(StropError, match=expected), named_remedies(config):
        torch.empty(1 << 50)
    with pytest.raises(RuntimeError, match="is invalid for input"), named_remedies(config):
        torch.empty(6).view(4)


def test_a_check_says_what_would_be_trained_and_writes_nothing(
    config: TrainConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    train(replace(config, check=True, accumulation=2, gradient_checkpointing=True))
    shown = capsys.readouterr().out
    assert "192 train, 32 validation, 32 test; text-classification, 3 outputs" in shown
    assert "steps:  24 in at most 1 epochs" in shown
    assert "memory: about" in shown
    assert not config.out.exists()
    with pytest.raises(StropError, match="that doesn't fit into memory; halve --batch-size"):
        train(replace(config, check=True, batch_size=10**9))
    with pytest.raises(InputError, match="at most 32"):
        train(replace(config, check=True, max_tokens=64))


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize(("method", "precision"), [("full", "fp32"), ("lora", "fp32"), ("full", "bf16")])
def test_the_memory_foreseen_is_what_torch_allocates_at_most(
    config: TrainConfig, method: str, precision: Any, checkpointing: bool
) -> None:
    config = replace(
        config, method=method, precision=precision, batch_size=16, gradient_checkpointing=checkpointing
    )
    model = trainable(Encoder.open(config.model), TASK, LABELS, config, 1)
    items = [Item(input_ids=[5] * length, labels=0) for length in (20, 32)]
    need = estimate_memory(model, [(item,) for item in items], 1, OWN_LOSS, config)
    optimiser = torch.optim.AdamW([one for one in model.parameters() if one.requires_grad])
    batch = Collator(1)([(items[0],), *[(items[1],)] * 15])

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            loss = OWN_LOSS(model, batch)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()

    step()  # the optimiser's moments are there from now on
    with profile(profile_memory=True, activities=[ProfilerActivity.CPU]) as profiler:
        step()
    events = profiler.profiler.kineto_results.events()
    changes = sorted((event.start_ns(), event.nbytes()) for event in events if event.name() == "[memory]")
    peak = max(accumulate(size for _, size in changes))
    assert 0.75 < (need.gradients + need.activations) / peak < 1.33
