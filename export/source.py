"""What an export starts from: a run's model and data, in the form that every step reads."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerFast

from strop.errors import InputError
from strop.tasks import Example, Task, by_example
from strop.train.batches import Item, Row, rows_of
from strop.train.encoder import tells_pairs_apart
from strop.train.examples import read_texts
from strop.train.heads import HEADS

from .bundle import BATCH_TOKENS, Encoded, Layout, Text, TextEncoder, count_windows
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
    lessons: Sequence[Row]
    """Of the training split, then the unlabelled texts."""
    labelled: Sequence[Row]
    """Those of them that have a target."""
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
        if config.unlabelled and run.task.pair_column:
            raise InputError(
                f"--unlabelled {config.unlabelled}: {run.task.name} learns from pairs; leave it out"
            )
        splits = run.splits()
        model = run.merged_model(further_adapters(config, run), config.own_weight)
        pairs = run.task.inputs(splits.test[0])[0].pair is not None
        encoder = TextEncoder(
            run.tokenizer_file,
            run.max_tokens,
            offsets=run.task.reads_offsets,
            token_types=pairs and tells_pairs_apart(model.config),
            windowed=run.task.windowed,
        )
        tokenizer = cast(PreTrainedTokenizerFast, AutoTokenizer.from_pretrained(run.tokenizer_file.parent))
        parts = {
            name: HEADS[run.task.head].questions(part, tokenizer, run.max_tokens)
            for name, part in splits.parts.items()
        }
        _require_questions(run, parts)
        inputs, counts, train = _encode(run.task, parts["train"], encoder)
        items = [
            _item(one, run.task.target(example, one.offsets, run.labels))
            for one, example in zip(train, inputs, strict=True)
        ]
        labelled = rows_of(items, counts, run.task)
        texts = read_texts(config.unlabelled) if config.unlabelled else []
        unlabelled = [
            (_item(one, run.task.no_target(one.offsets, run.labels)),) for one in encoder.encode(texts)
        ]
        count = min(config.calibration_texts, len(train))
        return cls(
            run=run,
            model=model,
            layout=_layout(config, run, model, tokenizer),
            lessons=[*labelled, *unlabelled],
            labelled=labelled,
            calibration=random.Random(config.seed).sample(train, count),
            validation=_held_out(run, parts["validation"], encoder),
            held_out=_held_out(run, parts["test"], encoder),
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
        return self.held_out.inputs[0].pair is not None

    @property
    def token_types(self) -> bool:
        """Whether it reads which text of a pair each token is of."""
        return self.held_out.encoded[0].ids.ndim == 2

    @property
    def used_tokens(self) -> frozenset[int]:
        """Token ids of the training texts, and those that spell all other words."""
        return self.spelling.union(*(item["input_ids"] for row in self.lessons for item in row))

    def calibration_batches(self) -> Iterable[list[NDArray[np.int64]]]:
        """The calibration texts in the batches that variants are measured in."""
        return self.layout.batches([text.ids for text in self.calibration], BATCH_TOKENS)


def inputs_of(task: Task, examples: Sequence[Example]) -> tuple[list[Example], list[int]]:
    """All that the model is asked for them, and how many times for each example."""
    each = [task.inputs(example) for example in examples]
    return [one for some in each for one in some], [len(some) for some in each]


def texts_of(inputs: Sequence[Example]) -> list[Text]:
    """Their texts, or pairs of texts."""
    return [text_of(one) for one in inputs]


def text_of(one: Example) -> Text:
    """Its text, or pair of texts."""
    return one.text if one.pair is None else (one.text, one.pair)


def _require_questions(run: Trained, parts: Mapping[str, Sequence[Example]]) -> None:
    """Raise ``InputError`` for a split of which nothing can be asked."""
    for name, part in parts.items():
        if not part:
            raise InputError(
                f"no text of the {name} split of {run.root} has a token that can be hidden alone; give it"
                " texts with more words that the tokenizer knows"
            )


def _layout(
    config: ExportConfig, run: Trained, model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast
) -> Layout:
    """What the graphs take, and at which token of a text they answer."""
    if config.exporter == "optimum":
        return masked_layout(model)
    return packed_layout(model, tokenizer.mask_token_id if HEADS[run.task.head].tells_tokens else None)


def _encode(
    task: Task, examples: Sequence[Example], encoder: TextEncoder
) -> tuple[list[Example], list[int], list[Encoded]]:
    """All their inputs, how many each example is, and the inputs as tokens.

    Of a text that is read in several windows each window is an input.
    """
    asked, each = inputs_of(task, examples)
    encoded = encoder.encode(texts_of(asked))
    windows = count_windows(encoded)
    inputs = [one for one, count in zip(asked, windows, strict=True) for _ in range(count)]
    counts = [sum(some) for some in by_example(windows, each)]
    return inputs, counts, encoded


def _held_out(run: Trained, examples: Sequence[Example], encoder: TextEncoder) -> HeldOut:
    inputs, counts, encoded = _encode(run.task, examples, encoder)
    return HeldOut(run.task, run.labels, tuple(examples), tuple(counts), tuple(inputs), tuple(encoded))


def _item(one: Encoded, target: Any) -> Item:
    """What a model is taught with."""
    if one.ids.ndim == 1:
        return Item(input_ids=one.ids.tolist(), labels=target)
    ids, types = one.ids.T.tolist()
    return Item(input_ids=ids, token_type_ids=types, labels=target)
