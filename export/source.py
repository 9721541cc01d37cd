"""What an export starts from: a run's model and data, in the form that every step reads."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from transformers import AutoTokenizer, PreTrainedModel

from strop.train.batches import Item
from strop.train.examples import Example, read_texts

from .bundle import BATCH_TOKENS, Encoded, Layout, TextEncoder
from .config import ExportConfig
from .evaluate import HeldOut
from .optimum.graphs import masked_layout
from .packed import packed_layout
from .shapes.teaching import UNLABELLED
from .trained import Trained, further_adapters, open_trained


@dataclass(frozen=True)
class Source:
    """A run, read once."""

    run: Trained
    model: PreTrainedModel
    layout: Layout
    lessons: Sequence[Item]
    """Training texts with their class, then the unlabelled ones."""
    calibration: Sequence[Encoded]
    """Some of the training texts."""
    validation: HeldOut
    """What a search chooses by."""
    held_out: HeldOut
    """The test split, which decides what is shipped."""
    spelling: frozenset[int]
    """Tokens of one character, of which words are spelt that no training text has."""
    unknown: int
    """The token that stands for what the vocabulary lacks."""

    @classmethod
    def open(cls, config: ExportConfig) -> Self:
        """Read the run and its data; ``InputError`` when it is incomplete or its data changed."""
        run = open_trained(config)
        splits = run.splits()
        model = run.merged_model(further_adapters(config, run), config.own_weight)
        encoder = TextEncoder(run.tokenizer_file, run.max_tokens)
        tokenizer = AutoTokenizer.from_pretrained(run.tokenizer_file.parent)
        train = encoder.encode([example.text for example in splits.train])
        classes = class_indices(splits.train, run.labels).tolist()
        unlabelled = encoder.encode(read_texts(config.unlabelled)) if config.unlabelled else []
        count = min(config.calibration_texts, len(train))
        return cls(
            run=run,
            model=model,
            layout=masked_layout(model) if config.exporter == "optimum" else packed_layout(model),
            lessons=[
                Item(input_ids=one.ids.tolist(), labels=label)
                for one, label in zip(
                    [*train, *unlabelled], [*classes, *[UNLABELLED] * len(unlabelled)], strict=True
                )
            ],
            calibration=random.Random(config.seed).sample(train, count),
            validation=_held_out(splits.validation, encoder, run.labels),
            held_out=_held_out(splits.test, encoder, run.labels),
            spelling=frozenset(
                number for piece, number in tokenizer.get_vocab().items() if len(piece.lstrip("#▁Ġ")) <= 1
            ),
            unknown=model.config.pad_token_id if tokenizer.unk_token_id is None else tokenizer.unk_token_id,
        )

    @property
    def used_tokens(self) -> frozenset[int]:
        """Token ids of the training texts, and those that spell all other words."""
        return self.spelling.union(*(item["input_ids"] for item in self.lessons))

    def calibration_batches(self) -> Iterable[list[NDArray[np.int64]]]:
        """The calibration texts in the batches that variants are measured in."""
        return self.layout.batches([text.ids for text in self.calibration], BATCH_TOKENS)


def class_indices(examples: Sequence[Example], labels: Sequence[str]) -> NDArray[np.int64]:
    """Class index of each example, shape [n]."""
    index = {label: number for number, label in enumerate(labels)}
    return np.array([index[example.label] for example in examples], dtype=np.int64)


def _held_out(examples: Sequence[Example], encoder: TextEncoder, labels: Sequence[str]) -> HeldOut:
    texts = tuple(example.text for example in examples)
    return HeldOut(texts, tuple(encoder.encode(texts)), class_indices(examples, labels))
