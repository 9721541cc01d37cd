"""What an export starts from: a run's model and data, in the form that every step reads."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Self, cast

import numpy as np
from numpy.typing import NDArray
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerFast

from strop.errors import InputError
from strop.tasks import Example, Task, by_example
from strop.train.adapter import is_adapter
from strop.train.batches import Item, Row, rows_of
from strop.train.encoder import tells_pairs_apart
from strop.train.encoding import encode
from strop.train.examples import read_unlabelled
from strop.train.heads import HEADS
from strop.train.on_demand import Spooled
from strop.train.preprocessing import Preprocessing

from .bundle import BATCH_TOKENS, Layout, Text, TextEncoder, count_windows
from .config import ExportConfig
from .evaluate import HeldOut
from .optimum.graphs import masked_layout
from .packed import packed_layout
from .peft_folder import PeftFolder
from .trained import Trained, further_adapters, open_run, require_lessons


@dataclass(frozen=True)
class Source:
    """A run, read once."""

    run: Trained
    model: PreTrainedModel
    layout: Layout
    encoder: TextEncoder
    """Texts to tokens, as a server does it."""
    lessons: Sequence[Row]
    """Of the training split, then the unlabelled texts."""
    labelled: Sequence[Row]
    """Those of them that have a target."""
    calibration: Sequence[NDArray[np.int64]]
    """The token ids of some training texts, or [tokens, 2] with their types."""
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
        run = PeftFolder.open(config) if is_adapter(config.run) else open_run(config)
        require_lessons(config, run)
        splits = run.splits()
        model = run.merged_model(further_adapters(config, run), config.own_weight)
        pairs = run.task.inputs(splits.test[0])[0].pair is not None
        token_types = pairs and tells_pairs_apart(model.config)
        encoder = TextEncoder(
            run.tokenizer_file,
            run.max_tokens,
            offsets=run.task.reads_offsets,
            token_types=token_types,
            windowed=run.task.windowed,
        )
        tokenizer = cast(PreTrainedTokenizerFast, AutoTokenizer.from_pretrained(run.tokenizer_file.parent))
        held_out = {
            name: _held_out(run, HEADS[run.task.head].questions(part, tokenizer, run.max_tokens), encoder)
            for name, part in splits.parts.items()
            if name != "train"
        }
        _require_questions(run, held_out)
        preprocessing = Preprocessing(tokenizer, run.task, run.labels, run.max_tokens, token_types)
        train = encode(splits.train, preprocessing)
        labelled = rows_of(train.items, train.counts, run.task)
        lessons: Sequence[Row] = labelled
        if config.unlabelled:
            further = encode(read_unlabelled(config.unlabelled), replace(preprocessing, labelled=False))
            lessons = Spooled(chain(labelled, ((item,) for item in further.items)))
        count = min(config.calibration_texts, len(train.items))
        drawn = random.Random(config.seed).sample(range(len(train.items)), count)
        return cls(
            run=run,
            model=model,
            encoder=encoder,
            layout=_layout(config, run, model, tokenizer),
            lessons=lessons,
            labelled=labelled,
            calibration=[_tokens(train.items[place]) for place in drawn],
            validation=held_out["validation"],
            held_out=held_out["test"],
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
        return self.spelling.union(
            token for row in self.lessons for item in row for token in item["input_ids"]
        )

    def calibration_batches(self) -> Iterable[list[NDArray[np.int64]]]:
        """The calibration texts in the batches that variants are measured in."""
        return self.layout.batches(self.calibration, BATCH_TOKENS)


def text_of(one: Example) -> Text:
    """Its text, or pair of texts."""
    return one.text if one.pair is None else (one.text, one.pair)


def _require_questions(run: Trained, held_out: Mapping[str, HeldOut]) -> None:
    """Raise ``InputError`` for a split of which nothing can be asked."""
    for name, split in held_out.items():
        if not split.examples:
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


def _held_out(run: Trained, examples: Sequence[Example], encoder: TextEncoder) -> HeldOut:
    """A split as a server would be asked; of a text read in several windows each is an input."""
    each = [run.task.inputs(example) for example in examples]
    asked = [one for some in each for one in some]
    encoded = encoder.encode([text_of(one) for one in asked])
    windows = count_windows(encoded)
    inputs = [one for one, count in zip(asked, windows, strict=True) for _ in range(count)]
    counts = [sum(some) for some in by_example(windows, [len(some) for some in each])]
    return HeldOut(run.task, run.labels, tuple(examples), tuple(counts), tuple(inputs), tuple(encoded))


def _tokens(item: Item) -> NDArray[np.int64]:
    """An input as a layout takes it."""
    ids, types = item["input_ids"], item.get("token_type_ids")
    return np.array(ids if types is None else list(zip(ids, types, strict=True)))
