"""The options of ``strop train``; the only home of their defaults."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from strop.errors import InputError
from strop.options import require_at_least

from .losses.options import LossOptions
from .methods.options import MethodOptions
from .running import RunningOptions

Metric = Literal["accuracy", "macro_f1"]


@dataclass(frozen=True)
class BasicOptions:
    """What to fine-tune, on what, and for how long."""

    data: Path
    """A folder with train, validation and test files, or one file, which is split 70/15/15 by a
    hash of the text. JSONL, CSV or Parquet."""
    _: KW_ONLY
    model: str
    """The encoder to start from: a Hugging Face model folder or hub id, of BERT's family. strop
    data encoder fetches a small one that is quick on a CPU."""
    out: Path
    """The run directory to write; it must not exist yet, or be empty."""
    text_column: str = "text"
    """The column with the text."""
    label_column: str = "label"
    """The column with the class name."""
    epochs: int = 3
    """Passes over the training split at most. More while the validation score still rises."""
    warmup_share: float = 0.06
    """Share of the steps in which the learning rate climbs to its peak."""
    max_tokens: int = 256
    """Longest text in tokens, here and in every later stage; the rest is cut off. Raise it for
    long texts: time grows with it only where such texts are."""
    evaluations_per_epoch: int = 1
    """How often the validation split is scored and a checkpoint kept. More finds a better
    checkpoint and loses less when interrupted; each costs a pass over that split."""
    patience: int = 3
    """Evaluations without a better score before training stops early."""
    metric: Metric = "macro_f1"
    """The validation score that chooses the checkpoint. macro_f1 counts every class alike;
    accuracy counts every text alike."""
    seed: int = 0
    """Of the head's first weights, the order of texts and dropout. Two seeds show the noise."""
    resume: Annotated[bool, Parameter(negative="")] = False
    """Go on with the interrupted run in --out, from its last checkpoint."""
    check: Annotated[bool, Parameter(negative="")] = False
    """Only look whether data, model and options fit together, and how much memory it would take; write
    nothing."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` naming the option, its value and the fix."""
        require_at_least(
            self,
            epochs=1,
            max_tokens=3,
            evaluations_per_epoch=1,
            patience=1,
            seed=0,
        )
        if not 0 <= self.warmup_share < 1:
            raise InputError(f"--warmup-share is {self.warmup_share}; give a share from 0 to below 1")
        if self.text_column == self.label_column:
            raise InputError(
                f"--text-column and --label-column are both {self.text_column!r}; name two columns"
            )


@Parameter(name="*")
@dataclass(frozen=True)
class TrainConfig(RunningOptions, LossOptions, MethodOptions, BasicOptions):
    """What to fine-tune, on what, and how."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` naming the option, its value and the fix."""
        BasicOptions.__post_init__(self)
        MethodOptions.__post_init__(self)
        LossOptions.__post_init__(self)
        RunningOptions.__post_init__(self)
        if self.gradient_checkpointing and self.method == "prefix":
            raise InputError(
                "--gradient-checkpointing would lose the keys of --method prefix; leave it out"
            )
