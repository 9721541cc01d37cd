"""The options of ``strop train``; the only home of their defaults."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from strop.errors import InputError
from strop.host import usable_cores
from strop.options import flag, require_at_least
from strop.tasks import TASKS

from .examples import Columns

Method = Literal["lora", "full"]
Precision = Literal["auto", "bf16", "fp32"]
TASK_HELP = "\n".join(
    (
        "What the model is to tell of a text; each task with its columns.\n",
        *(
            f"- {task.name}: {task.summary} (columns {task.text_column}, {task.label_column})"
            for task in TASKS.values()
        ),
    )
)


@Parameter(name="*")
@dataclass(frozen=True)
class TrainConfig:
    """What to fine-tune, on what, and how."""

    data: Path
    """A folder with train, validation and test files, or one file, which is split 70/15/15 by a
    hash of the text. JSONL, CSV, TSV, Parquet, or what datasets saved."""
    _: KW_ONLY
    model: str
    """The encoder to start from: a Hugging Face model folder or hub id, of BERT's family. strop
    data encoder fetches a small one that is quick on a CPU."""
    out: Path
    """The run directory to write; it must not exist yet, or be empty."""
    task: Annotated[str, Parameter(help=TASK_HELP)] = "text-classification"
    text_column: str | None = None
    """The column with the text. Default: what the task calls it."""
    pair_column: str | None = None
    """The column with a second text, where the model is to judge two together."""
    label_column: str | None = None
    """The column with the label. Default: what the task calls it."""
    method: Method = "lora"
    """lora trains small added matrices and the head: quick, little memory. full trains every
    weight: for much data, or where lora stays short of what you need."""
    lora_rank: int = 16
    """Rank of the added matrices. Raise it if the training loss stays high; 4 to 64 is usual."""
    lora_alpha: int | None = None
    """Scale of the added matrices. Default: twice the rank, which keeps the learning rate right
    when the rank changes."""
    lora_dropout: float = 0.0
    """Share of LoRA's inputs dropped in training. Try 0.05 to 0.1 where a few hundred examples are
    learnt by heart; on a CPU it makes a step about a quarter slower."""
    epochs: int = 3
    """Passes over the training split at most. More while the validation score still rises."""
    batch_size: int = 32
    """Texts in a step. More is steadier and needs memory; raise the learning rate with it."""
    learning_rate: float | None = None
    """Peak of the linear schedule. Default: 1e-3 for lora, 5e-5 for full. Halve it if the loss
    jumps about."""
    weight_decay: float = 0.01
    """Pull of the trained weights towards zero. Raise it when validation loss rises early."""
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
    metric: str | None = None
    """The validation score that chooses the checkpoint. Default: the task's first, by which export's
    gate goes, too."""
    seed: int = 0
    """Of the head's first weights, the order of texts and dropout. Two seeds show the noise."""
    precision: Precision = "auto"
    """Numbers that the matrices are multiplied in; the weights stay fp32. auto is bf16 where this
    machine has instructions for it (two to three times as quick), fp32 elsewhere."""
    threads: int = 0
    """CPU threads to compute with; 0 means one for each core that this process may use."""
    resume: Annotated[bool, Parameter(negative="")] = False
    """Go on with the interrupted run in --out, from its last checkpoint."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` naming the option, its value and the fix."""
        require_at_least(
            self,
            lora_rank=1,
            epochs=1,
            batch_size=1,
            max_tokens=3,
            evaluations_per_epoch=1,
            patience=1,
            seed=0,
            threads=0,
            weight_decay=0,
        )
        for name in ("lora_alpha", "learning_rate"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InputError(f"{flag(name)} is {value}; it must be above 0")
        for name in ("lora_dropout", "warmup_share"):
            value = getattr(self, name)
            if not 0 <= value < 1:
                raise InputError(f"{flag(name)} is {value}; give a share from 0 to below 1")
        metrics = self.columns.task.metrics
        if self.metric not in (None, *metrics):
            raise InputError(f"--metric is {self.metric}; {self.task} has {', '.join(metrics)}")

    @property
    def columns(self) -> Columns:
        """Which columns hold what, and the task."""
        return Columns.of(self.task, text=self.text_column, label=self.label_column, pair=self.pair_column)

    @property
    def chosen_by(self) -> str:
        """The metric, with its default resolved."""
        return self.metric or self.columns.task.metrics[0]

    @property
    def peak_learning_rate(self) -> float:
        """The learning rate, with its default resolved by method."""
        if self.learning_rate is not None:
            return self.learning_rate
        return 1e-3 if self.method == "lora" else 5e-5

    @property
    def alpha(self) -> int:
        """LoRA's alpha, with its default resolved."""
        return 2 * self.lora_rank if self.lora_alpha is None else self.lora_alpha

    @property
    def thread_count(self) -> int:
        """Threads, with 0 resolved for this process."""
        return self.threads or usable_cores()
