"""The methods: each trains, goes on exactly, and answers from disk as it did in memory."""

import os
import shutil
import signal
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from torch import Tensor
from transformers import AutoModel, set_seed

from strop.errors import InputError
from strop.tasks import TASKS, Example
from strop.train.batches import EncodedSplit, Item
from strop.train.command import train
from strop.train.config import TrainConfig
from strop.train.encoder import PACKABLE, Encoder
from strop.train.heads import HEADS
from strop.train.loop import InterruptError, fit, steps_per_epoch
from strop.train.losses.objective import own_objective
from strop.train.methods import METHODS
from strop.train.run import Run
from strop.train.weights import load_to_score, save_weights, trainable

TASK = TASKS["text-classification"]
LABELS = ("bad", "good")
VIRTUAL = [method.name for method in METHODS.values() if method.virtual_tokens]


def _config(encoder: Path, out: Path, **options: Any) -> TrainConfig:
    few: dict[str, Any] = {
        "epochs": 2,
        "batch_size": 4,
        "lora_rank": 2,
        "virtual_tokens": 3,
        "max_tokens": 16,
    }
    return TrainConfig(Path("data"), model=str(encoder), out=out, threads=1, **(few | options))


OWN_LOSS = own_objective(HEADS[TASK.head])


def _items(count: int) -> list[Item]:
    """Token ids whose class is told by the last."""
    return [
        Item(input_ids=[2, *range(10, 12 + place % 5), 45 + place % 2, 3], labels=place % 2)
        for place in range(count)
    ]


def _split(items: Sequence[Item]) -> EncodedSplit:
    """Items with the examples that they would be of."""
    examples = [Example("text", LABELS[item["labels"]]) for item in items]
    return EncodedSplit(examples, [1] * len(items), items, [()] * len(examples))


def _interrupting(items: Sequence[Item]) -> list[Any]:
    """The same, and Ctrl-C when the sixth of the second epoch is put into a batch."""
    reads = 0

    class Watched(dict[str, Any]):
        def __getitem__(self, name: str) -> Any:
            nonlocal reads
            reads += name == "input_ids"
            # Each is measured once, to group it by length, before it is read for a batch.
            if reads == 2 * len(items) + 6:
                os.kill(os.getpid(), signal.SIGINT)
            return super().__getitem__(name)

    return [Watched(item) for item in items]


def _trained(config: TrainConfig, out: Path, items: Sequence[Item]) -> dict[str, Tensor]:
    set_seed(config.seed)
    encoder = Encoder.open(config.model)
    model = trainable(encoder, TASK, LABELS, config, config.epochs * steps_per_epoch(len(items), config))
    fit(
        model,
        _split(items),
        _split(_items(8)),
        task=TASK,
        labels=LABELS,
        pad_token_id=1,
        objective=OWN_LOSS,
        config=config,
        out=out,
    )
    return {name: one.detach() for name, one in model.named_parameters() if one.requires_grad}


@pytest.mark.parametrize("method", METHODS)
def test_every_method_goes_on_exactly_where_it_was_interrupted(
    method: str, tmp_path: Path, tiny_encoder: Path
) -> None:
    config = _config(tiny_encoder, tmp_path, method=method, evaluations_per_epoch=2, patience=9)
    items = _items(24)
    with pytest.raises(InterruptError, match=r"interrupted at step [789] of 12"):
        _trained(config, tmp_path / "cut", _interrupting(items))
    resumed = _trained(config, tmp_path / "cut", items)
    whole = _trained(config, tmp_path / "whole", items)
    assert resumed.keys() == whole.keys()
    for name, one in whole.items():
        assert torch.equal(resumed[name], one), name


@pytest.mark.parametrize(
    ("family", "method"),
    [
        *(("bert", method) for method in METHODS),
        *product(PACKABLE[1:], ("lora", "ia3", "prefix", "prompt", "full")),
    ],
)
def test_what_is_saved_answers_as_what_was_trained(
    tmp_path: Path, make_encoder: Callable[[Path, str], None], family: str, method: str
) -> None:
    make_encoder(tmp_path / "base", family)
    encoder = Encoder.open(str(tmp_path / "base"))
    config = _config(tmp_path / "base", tmp_path, method=method)
    if method == "prefix" and family in {"distilbert", "mpnet"}:
        with pytest.raises(InputError, match=r"--method prefix doesn't fit .* choose prompt or"):
            trainable(encoder, TASK, LABELS, config, 10)
        return
    model = trainable(encoder, TASK, LABELS, config, 10)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(0.1 * torch.randn_like(weight))
    save_weights(model, tmp_path)
    ids = torch.tensor([[2, 45, 50, 61, 3], [2, 70, 45, 45, 3]])
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    model.train(False)
    with torch.no_grad():
        expected = model(**inputs).logits
        found = load_to_score(tmp_path, encoder.name, TASK, LABELS, method)(**inputs).logits
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)


def test_the_whole_head_is_trained_and_kept_also_of_an_encoder_without_a_pooler(
    tmp_path: Path, tiny_encoder: Path
) -> None:
    whole = shutil.copytree(tiny_encoder, tmp_path / "base")
    AutoModel.from_pretrained(tiny_encoder, add_pooling_layer=False).save_pretrained(whole)
    for base in (tiny_encoder, whole):
        encoder = Encoder.open(str(base))
        model = trainable(encoder, TASK, LABELS, _config(base, tmp_path), 10)
        assert isinstance(model, PeftModel)
        head = [
            name for name, one in model.named_parameters() if one.requires_grad and "layer." not in name
        ]
        assert {"pooler" in name or "classifier" in name for name in head} == {True}
        assert sum("pooler" in name for name in head) == 2  # its weight and bias, and nothing beside them
        save_weights(model, tmp_path)
        load_to_score(tmp_path, encoder.name, TASK, LABELS, "lora")


def test_adalora_ends_with_the_rank_that_was_asked_for(tmp_path: Path, tiny_encoder: Path) -> None:
    config = _config(tiny_encoder, tmp_path, method="adalora", epochs=1, batch_size=2, lora_rank=4)
    trained = _trained(config, tmp_path / "checkpoints", _items(24))
    ranks = [int((one != 0).sum()) for name, one in trained.items() if "lora_E" in name]
    assert all(one.shape == (6, 1) for name, one in trained.items() if "lora_E" in name)
    assert sum(ranks) == 4 * len(ranks)


def test_adalora_is_refused_where_its_ranks_have_no_time_to_move(
    tmp_path: Path, tiny_encoder: Path
) -> None:
    with pytest.raises(InputError, match=r"at least 10 steps, and this run has 4; give more --epochs"):
        _trained(_config(tiny_encoder, tmp_path, method="adalora"), tmp_path, _items(8))


def test_a_run_of_virtual_tokens_is_scored_and_not_exported(
    tmp_path: Path, tiny_encoder: Path, tiny_data: Path
) -> None:
    out = tmp_path / "run"
    options: dict[str, Any] = {"model": str(tiny_encoder), "out": out, "max_tokens": 20, "threads": 1}
    with pytest.raises(InputError, match=r"takes at most 12 beside 20 --virtual-tokens"):
        train(TrainConfig(tiny_data, method="prompt", **options))
    train(TrainConfig(tiny_data, method="prompt", virtual_tokens=4, epochs=1, **options))
    run = Run.open(out)
    assert run.metrics["test"]["accuracy"] > 0
    with pytest.raises(InputError, match=r"type PROMPT_TUNING, which can't be merged: it adds virtual"):
        run.merged_model()
    model = load_to_score(out, run.base_model, run.task, run.labels, run.method)
    assert isinstance(model, PeftModel)
    assert not model.training
