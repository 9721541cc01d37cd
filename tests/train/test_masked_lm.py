"""Masked language models: what is hidden, when it is another, and what the next training starts from."""

import json
import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import AutoModel, AutoModelForMaskedLM, AutoTokenizer, PreTrainedTokenizerFast, set_seed

from strop.errors import InputError
from strop.tasks import IGNORED, TASKS, Example
from strop.train.baseline import token_frequencies
from strop.train.batches import Collator, EncodedSplit, Item, RenewedRows
from strop.train.command import train
from strop.train.config import TrainConfig
from strop.train.encoder import PACKABLE, Encoder
from strop.train.examples import read_examples
from strop.train.heads import HEADS, logits_of
from strop.train.loop import InterruptError, fit, steps_per_epoch
from strop.train.losses.objective import own_objective
from strop.train.masking import Masking
from strop.train.merged import MergeConfig, merge
from strop.train.predict import predict
from strop.train.preprocessing import Preprocessing
from strop.train.run import Run
from strop.train.weights import load_to_score, save_weights, trainable

TASK = TASKS["fill-mask"]
HEAD = HEADS["masked-lm"]
UNKNOWN, PAD, BEGIN, END = range(4)
MASK = 101


def _add_mask(folder: Path) -> Path:
    """Give a tiny encoder's tokenizer a mask token, and the encoder a place for it."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"mask_token": "[MASK]"})
    model = AutoModel.from_pretrained(folder)
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path) -> Path:
    """The tiny BERT, without a head, with a mask."""
    folder = tmp_path_factory.mktemp("encoder") / "base"
    shutil.copytree(tiny_encoder, folder)
    return _add_mask(folder)


@pytest.fixture(scope="module")
def tokenizer(encoder: Path) -> PreTrainedTokenizerFast:
    """Its tokenizer."""
    return Encoder.open(str(encoder), TASK).tokenizer()


@pytest.fixture(scope="module")
def masking(tokenizer: PreTrainedTokenizerFast) -> Masking:
    """By its tokens."""
    return Masking.of(tokenizer)


def _config(data: Path, encoder: Path, out: Path, **options: Any) -> TrainConfig:
    few: dict[str, Any] = {"epochs": 8, "batch_size": 8, "max_tokens": 32, "precision": "fp32"}
    return TrainConfig(data, model=str(encoder), out=out, task="fill-mask", threads=1, **(few | options))


@pytest.fixture(scope="module", params=["lora", "full"])
def run(
    request: pytest.FixtureRequest, tiny_data: Path, encoder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Run:
    """A finished run of an adapter, and of all weights."""
    out = tmp_path_factory.mktemp("runs") / "field"
    train(_config(tiny_data, encoder, out, method=request.param, learning_rate=5e-3))
    return Run.open(out)


texts = st.lists(st.integers(4, MASK - 1) | st.just(UNKNOWN), min_size=1, max_size=40).map(
    lambda ids: [BEGIN, *ids, END]
)


def _told(item: Item) -> list[tuple[int, int]]:
    """What stands where a token is to be told, and that token."""
    pairs = zip(item["input_ids"], item["labels"], strict=True)
    return [(token, label) for token, label in pairs if label != IGNORED]


def _original(item: Item) -> list[int]:
    pairs = zip(item["input_ids"], item["labels"], strict=True)
    return [token if label == IGNORED else label for token, label in pairs]


@given(texts)
def test_15_percent_of_a_held_out_text_are_behind_masks_always_the_same(
    masking: Masking, ids: list[int]
) -> None:
    item = masking.held_out(ids)
    assert item == masking.held_out(ids)
    assert _original(item) == ids
    told = _told(item)
    words = [token for token in ids if token not in (UNKNOWN, BEGIN, END)]
    assert len(told) == (max(1, round(0.15 * len(words))) if words else 0)
    assert all(token == MASK and label not in (UNKNOWN, BEGIN, END) for token, label in told)


def test_in_training_a_mask_another_token_or_its_own_stands_there(masking: Masking) -> None:
    random = np.random.default_rng(0)
    item = masking.held_out([BEGIN, *range(4, 24), END])
    told = [pair for _ in range(2000) for pair in _told(masking.renew(item, random))]
    assert len(told) == 2000 * 3
    masked = np.mean([token == MASK for token, _ in told])
    own = np.mean([token == label for token, label in told])
    assert masked == pytest.approx(0.8, abs=0.02)
    assert own == pytest.approx(0.1, abs=0.02)
    assert {label for _, label in told} == {*range(4, 24)}
    assert {token for token, _ in told} == {*range(4, MASK + 1)}


def test_what_is_hidden_follows_from_seed_epoch_and_place(masking: Masking) -> None:
    item = masking.held_out([BEGIN, *range(4, 24), END])

    def rows(seed: int, epoch: int) -> list[tuple[Item, ...]]:
        found = RenewedRows([(item,)] * 4, masking.renew, seed)
        found.set_epoch(epoch)
        return [found[place] for place in range(len(found))]

    assert rows(0, 1) == rows(0, 1)
    every = [*rows(0, 0), *rows(0, 1), *rows(1, 1)]
    assert all(one not in every[:place] for place, one in enumerate(every))
    assert all(_original(one) == _original(item) for (one,) in every)


def test_a_tokenizer_without_a_mask_is_refused(tiny_data: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"the tokenizer of .* has no mask token, so nothing can be hidden"
    ):
        train(_config(tiny_data, tiny_encoder, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def _model_and_batch(encoder: Path) -> tuple[Any, EncodedSplit, dict[str, Tensor]]:
    opened = Encoder.open(str(encoder), TASK)
    model, _ = opened.model(TASK, ())
    examples = [Example(text, None) for text in ("the film was so superb and it was a story", "a", "✨")]
    split = HEAD.encode(examples, Preprocessing(opened.tokenizer(), TASK, (), 32))
    batch = Collator(PAD)([(item,) for item in split.items])
    return model.train(False).requires_grad_(False), split, batch


@pytest.mark.parametrize("family", PACKABLE)
def test_the_loss_is_transformers_own_and_only_what_is_told_is_computed(
    tmp_path: Path, make_encoder: Callable[[Path, str], None], family: str
) -> None:
    make_encoder(tmp_path, family)
    model, split, batch = _model_and_batch(_add_mask(tmp_path))
    logits, labels = HEAD.answers(model, batch)
    whole = logits_of(HEAD, model, batch)
    torch.testing.assert_close(logits, whole[batch["labels"] != IGNORED])
    torch.testing.assert_close(HEAD.loss(logits, labels), model(**batch).loss)
    counts = np.stack(predict(model, split.items, TASK, PAD))
    assert counts[:, 1].tolist() == [2, 1, 0]
    assert counts[2].tolist() == [0, 0, 0, 0]
    for row, logits, labels in zip(counts[:2], whole, batch["labels"], strict=False):
        there = labels != IGNORED
        assert row[0] == pytest.approx(float(cross_entropy(logits[there], labels[there]) * row[1]), 1e-4)


@pytest.mark.parametrize(
    ("family", "method"),
    [
        *((family, "lora") for family in PACKABLE),
        *(("electra", "ia3"), ("bert", "adalora"), ("distilbert", "prompt"), ("roberta", "full")),
    ],
)
def test_what_is_saved_answers_as_what_was_trained(
    tmp_path: Path, make_encoder: Callable[[Path, str], None], tiny_data: Path, family: str, method: str
) -> None:
    make_encoder(tmp_path / "base", family)
    _add_mask(tmp_path / "base")
    config = _config(tiny_data, tmp_path / "base", tmp_path, method=method, virtual_tokens=3)
    encoder = Encoder.open(str(tmp_path / "base"), TASK)
    model = trainable(encoder, TASK, (), config, 10)
    vocabulary = model.get_input_embeddings().weight
    # An adapter leaves the embeddings alone, which are also the last layer.
    assert vocabulary.requires_grad == (method == "full")
    assert model.get_output_embeddings().weight is vocabulary
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(0.1 * torch.randn_like(weight))
    save_weights(model, tmp_path)
    _, _, batch = _model_and_batch(tmp_path / "base")
    finished = load_to_score(tmp_path, encoder.name, TASK, (), method)
    with torch.no_grad():
        ours, theirs = (HEAD.answers(one.train(False), batch)[0] for one in (model, finished))
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def _fitted(config: TrainConfig, out: Path, split: EncodedSplit) -> dict[str, Tensor]:
    set_seed(config.seed)
    encoder = Encoder.open(str(config.model), TASK)
    steps = config.epochs * steps_per_epoch(len(split.items), config)
    model = trainable(encoder, TASK, (), config, steps)
    fit(
        model,
        split,
        split,
        task=TASK,
        labels=(),
        pad_token_id=PAD,
        objective=own_objective(HEAD),
        config=config,
        out=out,
    )
    return {name: one.detach() for name, one in model.named_parameters() if one.requires_grad}


def test_an_interrupted_run_goes_on_with_the_same_tokens_hidden(
    tiny_data: Path, encoder: Path, tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    config = _config(tiny_data, encoder, tmp_path / "run", epochs=2, batch_size=4, patience=9)
    examples = read_examples(tiny_data / "train.jsonl", config.columns)[:24]
    split = HEAD.encode(examples, Preprocessing(tokenizer, TASK, (), 32))
    calls = count()

    def watched(item: Item, random: np.random.Generator) -> Item:
        assert split.renew is not None
        if next(calls) == 24 + 6:  # within the second epoch
            os.kill(os.getpid(), signal.SIGINT)
        return split.renew(item, random)

    with pytest.raises(InterruptError, match=r"interrupted at step [789] of 12"):
        _fitted(config, tmp_path / "cut", replace(split, renew=watched))
    resumed = _fitted(config, tmp_path / "cut", split)
    whole = _fitted(config, tmp_path / "whole", split)
    assert resumed.keys() == whole.keys()
    assert all(torch.equal(resumed[name], one) for name, one in whole.items())


def test_a_run_learns_and_says_what_the_most_frequent_token_would_get(run: Run) -> None:
    test, baselines = run.metrics["test"], run.metrics["baselines"]
    assert set(test) == {"accuracy", "loss", "perplexity"}
    assert test["perplexity"] == pytest.approx(np.exp(test["loss"]))
    assert baselines.keys() == {"most frequent token"}
    assert set(baselines["most frequent token"]) == set(test)
    rows = [json.loads(line) for line in (run.root / "history.jsonl").read_text().splitlines()]
    losses = [row["validation_loss"] for row in rows if "validation_loss" in row]
    assert min(losses[1:]) < losses[0]
    assert run.labels == ()


def test_the_frequency_of_tokens_is_counted_with_what_is_hidden(tokenizer: PreTrainedTokenizerFast) -> None:
    train, held_out = (
        HEAD.encode([Example(text, None) for text in some], Preprocessing(tokenizer, TASK, (), 32))
        for some in (["film film film story", "film"], ["film", "story", "✨"])
    )
    counts = token_frequencies(train, held_out, len(tokenizer))
    total = 5 + len(tokenizer)
    told = [[-np.log(5 / total), 1, 1, 1], [-np.log(2 / total), 1, 0, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(counts, told, rtol=1e-6)


def test_another_task_starts_from_what_was_merged(run: Run, tiny_data: Path, tmp_path: Path) -> None:
    adapted = tmp_path / "adapted"
    merge(MergeConfig(run.root, out=adapted))
    model = AutoModelForMaskedLM.from_pretrained(adapted)
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    ids = torch.tensor([[BEGIN, 70, MASK, 80, END]])
    ours = run.merged_model()
    torch.testing.assert_close(model(ids).logits, ours(ids).logits)

    config = TrainConfig(
        tiny_data,
        model=str(adapted),
        out=tmp_path / "moods",
        epochs=1,
        batch_size=8,
        max_tokens=32,
        threads=1,
    )
    train(config)
    moods = Run.open(config.out)
    assert moods.labels == ("bad", "good", "plain")
    started, _ = Encoder.open(str(adapted)).model(moods.task, moods.labels)
    for name, weight in started.base_model.encoder.named_parameters():
        torch.testing.assert_close(weight, ours.base_model.encoder.get_parameter(name))


def test_a_model_that_brings_its_head_is_the_baseline(
    run: Run, tiny_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    adapted = tmp_path / "adapted"
    merge(MergeConfig(run.root, out=adapted))
    config = _config(tiny_data, adapted, tmp_path / "again", epochs=1)
    train(replace(config, check=True))
    assert "fill-mask, whose outputs are tokens" in capsys.readouterr().out
    assert not config.out.exists()
    train(config)
    (before,) = Run.open(config.out).metrics["baselines"].items()
    wanted = {name: pytest.approx(run.metrics["test"][name], abs=1e-4) for name in TASK.metrics}
    assert before == ("adapted, not fine-tuned", wanted)
