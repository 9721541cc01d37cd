"""The options of ``strop train``; the only home of their defaults."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from strop.errors import InputError
from strop.options import require_at_least
from strop.tasks import TASKS, Pooling

from .augmentation.options import AugmentationOptions
from .earlier import EarlierRunOptions
from .examples import Columns
from .losses.options import LossOptions
from .methods.options import MethodOptions
from .running import RunningOptions
from .search.options import SearchOptions
from .search.space import search_space

TASK_HELP = "\n".join(
    (
        "What the model is to tell of a text; each task with its columns.\n",
        *(
            f"- {task.name}: {task.summary} (columns {', '.join(columns)})"
            for task in TASKS.values()
            for columns in [filter(None, (task.text_column, task.pair_column, task.label_column))]
        ),
    )
)


@dataclass(frozen=True)
class BasicOptions:
    """What to fine-tune, on what, and for how long."""

    data: Path
    """A folder with train, validation and test files, or one file, which is split 70/15/15 by a
    hash of the text (or of a question's context). JSONL, CSV, TSV, Parquet, CoNLL columns, SQuAD JSON,
    each but Parquet also .gz, or what datasets saved."""
    _: KW_ONLY
    model: str | None = None
    """The encoder to start from: a Hugging Face model folder or hub id, of BERT's family. strop
    data encoder fetches a small one that is quick on a CPU. Left out with --from."""
    out: Path
    """The run directory to write; it must not exist yet, or be empty."""
    task: Annotated[str, Parameter(help=TASK_HELP)] = "text-classification"
    text_column: str | None = None
    """The column with the text. Default: what the task calls it."""
    pair_column: str | None = None
    """The column with a second text, where the model is to judge two together."""
    label_column: str | None = None
    """The column with the label. Default: what the task calls it."""
    pooling: Literal["auto"] | Pooling = "auto"
    """What a text's vector is made of, where the answer is one: the mean of its tokens' states, or the
    state of the first token, cls. auto is what the model's folder says as sentence-transformers writes
    it, or else the mean. Keep to what the encoder was trained with: the other costs accuracy."""
    epochs: int = 3
    """Passes over the training split at most. More while the validation score still rises."""
    warmup_share: float = 0.06
    """Share of the steps in which the learning rate climbs to its peak."""
    max_tokens: int = 256
    """Longest text in tokens, here and in every later stage; the rest is cut off, or of a question's
    context read window by window. Raise it for long texts: time grows with it only where such texts are."""
    evaluations_per_epoch: int = 1
    """How often the validation split is scored and a checkpoint kept. More finds a better
    checkpoint and loses less when interrupted; each costs a pass over that split."""
    patience: int = 3
    """Evaluations without a better score before training stops early."""
    metric: str | None = None
    """The validation score that chooses the checkpoint. Default: the task's first, by which export's
    gate goes, too."""
    test_typos: float = 0.0
    """Score the finished model on the test texts with typing errors in this share of their words, too:
    how much it loses where people mistype. 0.1 is usual; the errors are the same for every run."""
    seed: int = 0
    """Of the head's first weights, the order of texts, dropout and the copies of --augment. Two seeds
    show the noise."""
    resume: Annotated[bool, Parameter(negative="")] = False
    """Go on with the interrupted run in --out, from its last checkpoint."""
    check: Annotated[bool, Parameter(negative="")] = False
    """Only look whether data, model and options fit together, and how much memory it would take; write
    nothing."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` naming the option, its value and the fix."""
        task = self.columns.task
        require_at_least(
            self,
            epochs=1,
            max_tokens=task.fewest_tokens,
            evaluations_per_epoch=1,
            patience=1,
            seed=0,
        )
        if not 0 <= self.warmup_share < 1:
            raise InputError(f"--warmup-share is {self.warmup_share}; give a share from 0 to below 1")
        if not 0 <= self.test_typos <= 1:
            raise InputError(f"--test-typos is {self.test_typos}; give a share from 0 to 1, such as 0.1")
        if self.test_typos and task.rewording == "never":
            raise InputError(f"--test-typos would make labels of {self.task} wrong; leave it out")
        if self.metric not in (None, *task.metrics):
            raise InputError(f"--metric is {self.metric}; {self.task} has {', '.join(task.metrics)}")

    @property
    def columns(self) -> Columns:
        """Which columns hold what, and the task."""
        return Columns.of(
            self.task,
            text=self.text_column,
            label=self.label_column,
            pair=self.pair_column,
            pooling=None if self.pooling == "auto" else self.pooling,
        )

    @property
    def chosen_by(self) -> str:
        """The metric, with its default resolved."""
        return self.metric or self.columns.task.metrics[0]


@Parameter(name="*")
@dataclass(frozen=True)
class TrainConfig(
    SearchOptions,
    RunningOptions,
    EarlierRunOptions,
    AugmentationOptions,
    LossOptions,
    MethodOptions,
    BasicOptions,
):
    """What to fine-tune, on what, and how."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` naming the option, its value and the fix."""
        BasicOptions.__post_init__(self)
        MethodOptions.__post_init__(self)
        LossOptions.__post_init__(self)
        AugmentationOptions.__post_init__(self)
        EarlierRunOptions.__post_init__(self)
        self.require_labels_hold(self.columns.task)
        self.require_confidence(self.columns.task)
        if (self.model is None) == (self.from_ is None):
            given = "both --model and --from" if self.model else "neither --model nor --from"
            raise InputError(f"there is {given}; give one: the encoder or the run to start from")
        RunningOptions.__post_init__(self)
        SearchOptions.__post_init__(self)
        if self.space:
            search_space(self)
        if self.gradient_checkpointing and self.method == "prefix":
            raise InputError(
                "--gradient-checkpointing would lose the keys of --method prefix; leave it out"
            )
