"""The line from labelled texts to a bundle, by the stages themselves, of encoders with made-up weights."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

LABELS = ("negative", "neutral", "positive")
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
MEDIAN, SPREAD = 18.0, 0.8
"""Words of the texts: log-normal, so that a hundredth has 115 or more."""
SPLITS = {"train": 512, "validation": 128, "test": 2048}
TINY_SPLITS = {"train": 64, "validation": 16, "test": 16}
NAME = "made-up"
GATE = 0.01
"""Whatever is lost of an accuracy that means nothing."""


@dataclass(frozen=True)
class Shape:
    """What decides how long an encoder of BERT's family takes."""

    layers: int
    hidden: int
    heads: int
    words: int = 30_000
    """Of its vocabulary."""
    max_tokens: int = 128


SHAPES = {"minilm-l6": Shape(6, 384, 12), "bert-base": Shape(12, 768, 12)}
TINY = Shape(2, 32, 2, words=100, max_tokens=32)


def lengths(count: int, most: int) -> Any:
    """How many words each of so many texts has, [count]."""
    drawn = np.random.default_rng(0).lognormal(np.log(MEDIAN), SPREAD, count)
    return np.clip(drawn.astype(int), 1, most)


def write_encoder(folder: Path, shape: Shape) -> None:
    """An encoder that transformers loads, and a tokenizer that knows ``word0`` and so on."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    words = {word: number for number, word in enumerate((*SPECIAL, *vocabulary(shape)))}
    tokenizer = Tokenizer(models.WordPiece(words, unk_token=SPECIAL[1]))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token"), SPECIAL, strict=True))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=4 * shape.hidden,
        max_position_embeddings=shape.max_tokens,
    )
    BertModel(config).save_pretrained(folder)


def write_data(folder: Path, shape: Shape, splits: Mapping[str, int]) -> None:
    """Labelled texts of random words, in a file for each split."""
    folder.mkdir()
    known, random = np.array(vocabulary(shape)), np.random.default_rng(0)
    for split, count in splits.items():
        rows = [
            {"text": " ".join(random.choice(known, length)), "label": LABELS[number % len(LABELS)]}
            for number, length in enumerate(lengths(count, shape.max_tokens - 2))
        ]
        (folder / f"{split}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")


def vocabulary(shape: Shape) -> list[str]:
    """The words that an encoder knows."""
    return [f"word{number}" for number in range(shape.words)]


@dataclass(frozen=True)
class Line:
    """A run and the bundle that was exported from it."""

    run: Path
    bundle: Path
    texts: Path
    """The test split, which nothing was learnt from."""

    @classmethod
    def of(cls, folder: Path, shape: Shape, splits: Mapping[str, int], programs: Sequence[str]) -> Self:
        """Train for an epoch on texts that teach nothing, and export.

        What is measured is the arithmetic. ONNX graphs are exported only where something runs them on a
        card; elsewhere fp32 is a program, too.
        """
        from strop.export.command import export
        from strop.export.config import ExportConfig
        from strop.train.command import train
        from strop.train.config import TrainConfig

        encoder, data, run, bundle = (folder / name for name in ("encoder", "data", "run", "bundle"))
        write_data(data, shape, splits)
        write_encoder(encoder, shape)
        train(
            TrainConfig(
                data,
                model=str(encoder),
                out=run,
                epochs=1,
                batch_size=64,
                max_tokens=shape.max_tokens,
            )
        )
        graphs = runs_graphs()
        export(
            ExportConfig(
                run,
                out=bundle,
                name=NAME,
                exporter="torch" if graphs else "torch-export",
                recipes=(*programs, *(("fp16",) if graphs else ())),
                gate=GATE,
            )
        )
        return cls(run, bundle, data / "test.jsonl")


def runs_graphs() -> bool:
    """Whether anything here runs ONNX graphs on a card."""
    from strop.serve.engines.backends import BACKENDS

    return any(BACKENDS[name].missing() is None for name in ("cuda", "tensorrt"))
