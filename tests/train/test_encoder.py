"""Which encoders are taken, and how long a text they take."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from strop.errors import InputError
from strop.tasks import TASKS
from strop.train.encoder import PACKABLE, Encoder

TASK = TASKS["text-classification"]
LABELS = ("bad", "good", "plain")
TINY_TOKENS = 32
Make = Callable[[Path, str], None]


@pytest.mark.parametrize("model_type", PACKABLE)
def test_the_longest_text_is_what_the_positions_allow(
    tmp_path: Path, make_encoder: Make, model_type: str
) -> None:
    make_encoder(tmp_path, model_type)
    encoder = Encoder.open(str(tmp_path))
    model, _ = encoder.model(TASK, LABELS)
    assert encoder.longest == TINY_TOKENS
    ids = torch.full((1, encoder.longest), 45)
    assert model(input_ids=ids).logits.shape == (1, 3)
    encoder.require_tokens(TINY_TOKENS)
    with pytest.raises(InputError, match=rf"--max-tokens is 33, but .* takes at most {TINY_TOKENS}"):
        encoder.require_tokens(33)


def test_the_class_names_are_in_the_models_config(tiny_encoder: Path) -> None:
    model, _ = Encoder.open(str(tiny_encoder)).model(TASK, LABELS)
    assert model.config.label2id == {"bad": 0, "good": 1, "plain": 2}


def test_another_family_is_refused_by_name_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "deberta-v2"}))
    with pytest.raises(InputError, match=r"type 'deberta-v2', which is refused: packed export needs"):
        Encoder.open(str(tmp_path))


def test_a_special_token_without_an_embedding_is_refused_by_name(
    tmp_path: Path, make_encoder: Make
) -> None:
    make_encoder(tmp_path, "bert")
    tokenizer = Encoder.open(str(tmp_path)).tokenizer()
    tokenizer.add_special_tokens({"mask_token": "[MASK]"})
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"mask_token '\[MASK\]' is token \d+, but .*; resize_token_emb"):
        Encoder.open(str(tmp_path)).tokenizer()


@pytest.mark.parametrize("name", ["./nowhere", "/no/where", "a/b/c"])
def test_a_missing_folder_is_refused_without_asking_the_hub(name: str) -> None:
    with pytest.raises(InputError, match="is not a folder; give a model folder or a hub id"):
        Encoder.open(name)


def test_a_folder_without_a_model_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"can't be loaded \(") as refusal:
        Encoder.open(str(tmp_path))
    assert "\n" not in str(refusal.value)


def test_a_folder_without_weights_is_refused_in_one_line(tmp_path: Path, make_encoder: Make) -> None:
    make_encoder(tmp_path, "bert")
    (tmp_path / "model.safetensors").write_bytes(b"cut off")
    with pytest.raises(InputError, match=r"can't be loaded \(") as refusal:
        Encoder.open(str(tmp_path)).model(TASK, LABELS)
    assert "\n" not in str(refusal.value)


def test_weights_of_another_size_are_refused(tmp_path: Path, make_encoder: Make) -> None:
    make_encoder(tmp_path, "bert")
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}))
    with pytest.raises(InputError, match="lacks the weights of its encoder"):
        Encoder.open(str(tmp_path)).model(TASK, LABELS)
