"""A tiny encoder, a tiny data set and a finished tiny run: real files, made in seconds."""

import gc
import json
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import settings

from strop.cli import main

# How long an example takes is no fact about the code on a machine that does other things, too.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

WORDS = {
    "good": ("lovely", "superb", "charming", "brilliant", "delightful"),
    "bad": ("dreadful", "boring", "clumsy", "awful", "tedious"),
    "plain": ("average", "usual", "ordinary", "standard", "common"),
}
NEUTRAL = ("the", "film", "was", "and", "so", "a", "story", "with", "actor", "it", "is")
TINY_TOKENS = 32
"""What the tiny encoder takes at most."""


def pytest_collection_finish() -> None:
    """Keep what was imported out of every later look for garbage: each training begins with one."""
    gc.collect()
    gc.freeze()


def tiny_rows(count: int) -> list[dict[str, str]]:
    """Different texts, whose class is told by two of their words."""
    chance = random.Random(0)
    rows: dict[str, dict[str, str]] = {}
    while len(rows) < count:
        label = chance.choice(list(WORDS))
        words = [*chance.choices(NEUTRAL, k=chance.randint(3, 9)), *chance.choices(WORDS[label], k=2)]
        chance.shuffle(words)
        text = " ".join(words)
        rows[text] = {"text": text, "label": label}
    return list(rows.values())


def write_jsonl(path: Path, rows: list[dict[str, str]]) -> Path:
    """Write one JSON object a line."""
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


class Tiny(NamedTuple):
    """What tiny data are made of, for a test that makes its own."""

    words: Mapping[str, tuple[str, ...]]
    fillers: Sequence[str]
    rows: Callable[[int], list[dict[str, str]]]
    write: Callable[[Path, list[dict[str, str]]], Path]


@pytest.fixture(scope="session")
def tiny() -> Tiny:
    """Words by class, words of none, and what makes and writes rows of them."""
    return Tiny(WORDS, NEUTRAL, tiny_rows, write_jsonl)


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 192 training, 32 validation and 32 test texts of three classes."""
    folder = tmp_path_factory.mktemp("tiny_data")
    rows = tiny_rows(256)
    for name, place in (
        ("train", slice(192)),
        ("validation", slice(192, 224)),
        ("test", slice(224, 256)),
    ):
        write_jsonl(folder / f"{name}.jsonl", rows[place])
    return folder


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT of two layers, 32 wide, with a WordPiece tokenizer: a Hugging Face folder."""
    folder = tmp_path_factory.mktemp("tiny_encoder")
    save_tiny_encoder(folder, "bert")
    return folder


@pytest.fixture
def make_encoder() -> Callable[[Path, str], None]:
    """Makes a tiny encoder of a model type, such as ``roberta``, in a folder."""
    return save_tiny_encoder


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, tiny_data: Path) -> Path:
    """A finished LoRA run of the tiny encoder on the tiny data."""
    from strop.train.command import train
    from strop.train.config import TrainConfig

    out = tmp_path_factory.mktemp("runs") / "tiny"
    train(
        TrainConfig(
            tiny_data,
            model=str(tiny_encoder),
            out=out,
            epochs=6,
            batch_size=8,
            learning_rate=5e-3,
            max_tokens=TINY_TOKENS,
            threads=1,
        )
    )
    return out


@pytest.fixture(scope="session")
def exported_bundle(tmp_path_factory: pytest.TempPathFactory, tiny_run: Path) -> Path:
    """What strop export makes of the tiny run: fp32 and int8."""
    out = tmp_path_factory.mktemp("bundles") / "mood"
    assert main(["export", str(tiny_run), "--out", str(out), "--name", "mood", "--gate", "0.8"]) == 0
    return out


def save_tiny_encoder(folder: Path, model_type: str) -> None:
    """Save a random encoder of a family, without a head, and a tokenizer that knows the words."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

    from strop.train.encoder import quieten

    quieten()
    special = ("[UNK]", "[PAD]", "[CLS]", "[SEP]")
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    pieces = (*special, *letters, *(f"##{letter}" for letter in letters), *NEUTRAL)
    vocabulary = {
        word: number for number, word in enumerate(dict.fromkeys([*pieces, *sum(WORDS.values(), ())]))
    }
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))  # noqa: S106
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",  # noqa: S106
        unk_token="[UNK]",  # noqa: S106
        cls_token="[CLS]",  # noqa: S106
        sep_token="[SEP]",  # noqa: S106
    ).save_pretrained(folder)
    sizes = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 64,
    }
    if model_type == "distilbert":
        sizes = {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64}
    offset = 2 if model_type in {"roberta", "xlm-roberta", "mpnet"} else 0
    config = AutoConfig.for_model(
        model_type,
        vocab_size=len(vocabulary),
        max_position_embeddings=TINY_TOKENS + offset,
        pad_token_id=1,  # as in RoBERTa, whose positions begin after it
        initializer_range=0.1,  # at the usual 0.02, so small an encoder says nothing of its text
        **sizes,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        AutoModel.from_config(config).save_pretrained(folder)


@pytest.fixture(scope="session")
def tiny_decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Llama of two layers, 32 wide, with a byte-level tokenizer and a chat template."""
    folder = tmp_path_factory.mktemp("tiny_decoder")
    save_tiny_decoder(folder, "llama", CHAT_TEMPLATE)
    return folder


@pytest.fixture
def make_decoder() -> Callable[..., None]:
    """Makes a tiny decoder of a model type, such as ``gpt2``, in a folder, with or without a template."""
    return save_tiny_decoder


CHAT_TEMPLATE = (
    "{% for message in messages %}<{{ message['role'] }}>{{ message['content'] }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def save_tiny_decoder(folder: Path, model_type: str, template: str | None = None, **sizes: object) -> None:
    """Save a random causal language model of a family, and a tokenizer of bytes and the words."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

    from strop.train.encoder import quieten

    quieten()
    special = ("<pad>", "<s>", "</s>")
    pieces = [*special, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(models.BPE({piece: number for number, piece in enumerate(pieces)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    saved = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",  # noqa: S106
        bos_token="<s>",  # noqa: S106
        eos_token="</s>",  # noqa: S106
    )
    saved.add_tokens([word for word in (*NEUTRAL, *sum(WORDS.values(), ())) if len(word) > 1])
    saved.chat_template = template
    saved.save_pretrained(folder)
    config = AutoConfig.for_model(
        model_type,
        **{
            "vocab_size": len(saved),
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "intermediate_size": 64,
            "max_position_embeddings": 128,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "pad_token_id": None,
            "initializer_range": 0.1,
        }
        | sizes,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        AutoModelForCausalLM.from_config(config).save_pretrained(folder)
