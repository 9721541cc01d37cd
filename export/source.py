"""What an export starts from: a run's model and data, in the form that every step reads."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from transformers import AutoTokenizer, PreTrainedModel

from strop.tasks import IGNORED, Example, Task
from strop.train.batches import Item
from strop.train.encoder import tells_pairs_apart
from strop.train.examples import read_texts

from .bundle import BATCH_TOKENS, Encoded, Layout, Text, TextEncoder
from .config import ExportConfig
from .evaluate import HeldOut
from .optimum.graphs import masked_layout
from .packed import packed_layout
from .trained import Trained, further_adapters, open_trained


@dataclass(frozen=True)
class Source:
    """A run, read once."""

    run: Trained
    model: PreTrainedModel
    layout: Layout
    lessons: Sequence[Item]
    """Training texts with their target, then the unlabelled ones."""
    labelled: Sequence[Item]
    """Those of them that have a label."""
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
        pairs = splits.test[0].pair is not None
        encoder = TextEncoder(
            run.tokenizer_file,
            run.max_tokens,
            offsets=run.task.per_token,
            token_types=pairs and tells_pairs_apart(model.config),
        )
        tokenizer = AutoTokenizer.from_pretrained(run.tokenizer_file.parent)
        train = encoder.encode(texts_of(splits.train))
        labelled = [
            _item(one, run.task.target(example, one.offsets, run.labels))
            for one, example in zip(train, splits.train, strict=True)
        ]
        texts = read_texts(config.unlabelled) if config.unlabelled else []
        unlabelled = [_item(one, _no_label(run.task, one, run.labels)) for one in encoder.encode(texts)]
        count = min(config.calibration_texts, len(train))
        return cls(
            run=run,
            model=model,
            layout=masked_layout(model) if config.exporter == "optimum" else packed_layout(model),
            lessons=[*labelled, *unlabelled],
            labelled=labelled,
            calibration=random.Random(config.seed).sample(train, count),
            validation=_held_out(run, splits.validation, encoder),
            held_out=_held_out(run, splits.test, encoder),
            spelling=frozenset(
                number for piece, number in tokenizer.get_vocab().items() if len(piece.lstrip("#▁Ġ")) <= 1
            ),
            unknown=model.config.pad_token_id if tokenizer.unk_token_id is None else tokenizer.unk_token_id,
        )

    @property
    def task(self) -> Task:
        """What the model is for."""
        return self.run.task

    @property
    def pairs(self) -> bool:
        """Whether it judges two texts together."""
        return self.held_out.examples[0].pair is not None

    @property
    def token_types(self) -> bool:
        """Whether it reads which text of a pair each token is of."""
        return self.held_out.encoded[0].ids.ndim == 2

    @property
    def used_tokens(self) -> frozenset[int]:
        """Token ids of the training texts, and those that spell all other words."""
        return self.spelling.union(*(item["input_ids"] for item in self.lessons))

    def calibration_batches(self) -> Iterable[list[NDArray[np.int64]]]:
        """The calibration texts in the batches that variants are measured in."""
        return self.layout.batches([text.ids for text in self.calibration], BATCH_TOKENS)


def texts_of(examples: Sequence[Example]) -> list[Text]:
    """Their texts, or pairs of texts."""
    return [one.text if one.pair is None else (one.text, one.pair) for one in examples]


def _held_out(run: Trained, examples: Sequence[Example], encoder: TextEncoder) -> HeldOut:
    encoded = tuple(encoder.encode(texts_of(examples)))
    return HeldOut(run.task, run.labels, tuple(examples), encoded)


def _no_label(task: Task, one: Encoded, labels: Sequence[str]) -> int | list[int] | list[float]:
    """A target in the task's form that says there is none."""
    if task.per_token:
        return [IGNORED] * len(one.ids)
    return IGNORED if task.one_choice or len(labels) == 1 else [float(IGNORED)] * len(labels)


def _item(one: Encoded, target: Any) -> Item:
    """What a model is taught with."""
    if one.ids.ndim == 1:
        return Item(input_ids=one.ids.tolist(), labels=target)
    ids, types = one.ids.T.tolist()
    return Item(input_ids=ids, token_type_ids=types, labels=target)
