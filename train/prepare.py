"""What a training needs, loaded and checked before anything is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import torch
from peft import PeftModel
from transformers import PreTrainedModel, set_seed

from strop.tasks import Task

from .additions import Addition, read_additions
from .batches import EncodedSplit, rows_of
from .compiled import require_compiler
from .config import TrainConfig
from .continuing import Continued, joined_labels, leaks
from .data.splits import Splits
from .device import arithmetic
from .encoder import Encoder, tells_pairs_apart
from .encoding import encode
from .heads import HEADS
from .loop import steps_per_epoch
from .losses.objective import Objective, make_objective
from .on_demand import Spooled
from .preprocessing import Preprocessing
from .processes import require_company, require_one_gpu_each
from .run import Run
from .weights import trainable
from .widening import widen


@dataclass(frozen=True)
class Prepared:
    """What is trained, on what."""

    encoder: Encoder
    preprocessing: Preprocessing
    additions: Sequence[Addition]
    """What the training split was widened by."""
    encoded: Mapping[str, EncodedSplit]
    """By split; that for training is the widened one."""
    model: PreTrainedModel | PeftModel
    objective: Objective
    steps: int
    """Of the optimiser, unless training stops early."""
    warnings: tuple[str, ...]
    """What will make a score too good."""

    @property
    def labels(self) -> Sequence[str]:
        """The names of the model's outputs."""
        return self.preprocessing.labels


def prepare(config: TrainConfig, splits: Splits) -> Prepared:
    """Load and check everything that training needs; nothing is written.

    Raises ``InputError`` when the model, the data, the options and the machine don't fit together.
    """
    arithmetic(config.precision)
    require_one_gpu_each()
    require_company(splits.task, config.batch_size)
    if config.compile:
        require_compiler()
    torch.set_num_threads(config.thread_count)
    encoder = _beginning(config, splits.task)
    labels = joined_labels(encoder.run, splits.labels) if isinstance(encoder, Continued) else splits.labels
    encoder.require_tokens(config.max_tokens, config.extra_tokens)
    tokenizer = encoder.tokenizer()
    additions = read_additions(config.out) if config.resume else None
    if additions is None:
        additions = widen(config, splits, encoder, tokenizer)
    added = [example for addition in additions for example in addition.examples]
    widened = Spooled(chain(splits.train, added)) if added else splits.train
    parts = {**splits.parts, "train": widened}
    preprocessing = Preprocessing(
        tokenizer, splits.task, labels, config.max_tokens, tells_pairs_apart(encoder.config)
    )
    encoded = {name: encode(part, preprocessing) for name, part in parts.items()}
    rows = rows_of(encoded["train"].items, encoded["train"].counts, splits.task)
    steps = config.epochs * steps_per_epoch(len(rows), config)
    warnings = tuple(leaks(encoder, splits)) if isinstance(encoder, Continued) else ()
    set_seed(config.seed)  # whatever was asked of other models before
    model = trainable(encoder, splits.task, labels, config, steps)
    objective = make_objective(
        config,
        HEADS[splits.task.head],
        (item["labels"] for item in encoded["train"].items),
        len(labels),
    )
    return Prepared(encoder, preprocessing, additions, encoded, model, objective, steps, warnings)


def _beginning(config: TrainConfig, task: Task) -> Encoder:
    """The encoder that is named, or the run."""
    if config.from_:
        return Continued.of(Run.open(config.from_), config.columns, config.out, config.seed)
    assert config.model is not None  # noqa: S101 - one of them is given
    return Encoder.open(config.model, task)
