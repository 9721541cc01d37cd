"""What joins the training texts: copies of them, seen from the command that trains."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoTokenizer, BartConfig, BartForConditionalGeneration

from strop.errors import InputError
from strop.tasks import Example
from strop.train.additions import Addition, read_additions, write_additions
from strop.train.command import train
from strop.train.config import TrainConfig
from strop.train.data.splits import load_splits
from strop.train.draft import Draft
from strop.train.encoder import Encoder
from strop.train.run import Run
from strop.train.widening import widen


@pytest.fixture
def translator(tmp_path: Path, tiny_encoder: Path) -> Path:
    """A tiny random model from text to text, which always says something."""
    tokenizer = AutoTokenizer.from_pretrained(tiny_encoder)
    torch.manual_seed(0)
    model = BartForConditionalGeneration(
        BartConfig(
            vocab_size=len(tokenizer),
            d_model=16,
            encoder_layers=1,
            decoder_layers=1,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=16,
            decoder_ffn_dim=16,
            max_position_embeddings=64,
            init_std=1.0,
            pad_token_id=1,
            bos_token_id=2,
            eos_token_id=3,
            decoder_start_token_id=2,
            forced_eos_token_id=3,
        )
    )
    model.save_pretrained(tmp_path / "translator")
    tokenizer.save_pretrained(tmp_path / "translator")
    return tmp_path / "translator"


def _widened(config: TrainConfig) -> tuple[Addition, ...]:
    encoder = Encoder.open(config.model)
    return widen(config, load_splits(config.data, config.columns), encoder, encoder.tokenizer())


def test_copies_join_the_training_split_alone(
    config: TrainConfig, capfd: pytest.CaptureFixture[str]
) -> None:
    train(replace(config, augment=("swap", "typos"), copies=2))
    run = Run.open(config.out)
    splits = run.splits()  # its sha256 is that of the data, so an export finds the data unchanged
    record = json.loads((run.root / "run.json").read_text())
    assert record["data"]["examples"] == {"train": 192, "validation": 32, "test": 32}
    assert record["config"]["augment"] == ["swap", "typos"]
    swapped, misspelt = record["additions"]
    assert (swapped["origin"], misspelt["origin"]) == ("swap", "typos")
    assert 300 < swapped["examples"] <= 384
    assert sum(swapped["labels"].values()) == swapped["examples"]
    added = read_additions(run.root)
    assert added == _widened(replace(config, augment=("swap", "typos"), copies=2))
    held_out = {example.text for example in (*splits.validation, *splits.test)}
    assert not held_out & {example.text for addition in added for example in addition.examples}
    assert f"{swapped['examples']} training texts added by swap" in capfd.readouterr().err
    steps = [json.loads(line)["step"] for line in (run.root / "history.jsonl").read_text().splitlines()]
    assert steps[-1] == -(-(192 + swapped["examples"] + misspelt["examples"]) // 8)


def test_a_copy_that_is_a_held_out_text_is_left_out(config: TrainConfig, tmp_path: Path, tiny: Any) -> None:
    data = tmp_path / "data"
    data.mkdir()
    rows = {
        "train": [("lovely film", "good"), ("awful film", "bad")],
        "validation": [("Film  lovely", "good")],
        "test": [("a story", "bad")],
    }
    for name, part in rows.items():
        tiny.write(data / f"{name}.jsonl", [{"text": text, "label": label} for text, label in part])
    (swapped,) = _widened(replace(config, data=data, augment=("swap",)))
    assert swapped == Addition("swap", [Example("film awful", "bad")], {"held out": 1})
    assert str(swapped) == "1 training texts added by swap; 1 left out: held out"


def test_a_resumed_run_learns_from_what_it_began_with(config: TrainConfig, tmp_path: Path) -> None:
    begun = replace(config, augment=("delete",), back_translate=("one", "two"))
    Draft.begin(begun, "model", "abc")
    resumed = replace(begun, resume=True)
    assert Draft.begin(resumed, "model", "abc").root == config.out
    with pytest.raises(InputError, match=r"--augment is swap, but the run .* began with --augment delete"):
        Draft.begin(replace(resumed, augment=("swap",)), "model", "abc")
    additions = (
        Addition("delete", [Example("a", ("x", "y")), Example("b", 2.5, "c")], {"held out": 3}),
        Addition("teacher", [Example("d", "e")]),
    )
    assert read_additions(tmp_path) is None
    write_additions(tmp_path, additions)
    assert read_additions(tmp_path) == additions


def test_kinds_that_would_make_labels_wrong_are_refused(config: TrainConfig) -> None:
    message = (
        "--augment swap would part texts of token-classification from what .*; give --augment synonyms or"
    )
    with pytest.raises(InputError, match=message):
        replace(config, task="token-classification", augment=("synonyms", "swap"))
    with pytest.raises(InputError, match="--back-translate would part texts of token-classification"):
        replace(config, task="token-classification", back_translate=("one", "two"))
    replace(config, task="token-classification", augment=("synonyms", "typos"))
    replace(config, task="regression", augment=("swap", "delete"), back_translate=("one", "two"))
    with pytest.raises(
        InputError, match="--augment rhyme is not known; give one or more of synonyms, insert"
    ):
        replace(config, augment=("rhyme",))
    with pytest.raises(InputError, match="name each kind once"):
        replace(config, augment=("swap", "swap"))
    with pytest.raises(InputError, match=r"--changed-words is 0\.0; give a share above 0"):
        replace(config, changed_words=0.0)


def test_texts_are_translated_there_and_back(config: TrainConfig, translator: Path) -> None:
    translated = replace(config, back_translate=(str(translator), str(translator)))
    (addition,) = _widened(translated)
    assert addition.origin == "back-translation"
    labels = {example.text: example.label for example in load_splits(config.data).train}
    assert 0 < len(addition.examples) <= len(labels)  # what comes back empty is no copy
    assert {example.label for example in addition.examples} == {*labels.values()}
    assert _widened(translated) == (addition,)
    assert _widened(replace(translated, check=True)) == ()


def test_what_does_not_translate_is_refused(config: TrainConfig) -> None:
    with pytest.raises(
        InputError, match=r"--back-translate .*tiny_encoder.* can't be loaded .*; give a transl"
    ):
        train(replace(config, back_translate=(config.model, config.model)))
    assert not config.out.exists()
