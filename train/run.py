"""The run directory: what strop train leaves and strop export reads."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from strop.errors import InputError
from strop.tasks import Task

from .adapter import Adapter
from .data.splits import Splits, load_splits
from .examples import Columns
from .scores import unbeaten

if TYPE_CHECKING:
    from transformers import PreTrainedModel

SCHEMA = "strop.run/2"
RUN_FILE = "run.json"
CONFIG_FILE = "config.json"
METRICS_FILE = "metrics.json"
HISTORY_FILE = "history.jsonl"
TOKENIZER_FOLDER = "tokenizer"
CHECKPOINTS_FOLDER = "checkpoints"
TENSORBOARD_FOLDER = "tensorboard"


@dataclass(frozen=True)
class Run:
    """A finished run."""

    root: Path
    config: Mapping[str, Any]
    """The options of strop train, by field name."""
    labels: tuple[str, ...]
    """The names of the model's outputs; an output's number is its place here."""
    data: Path
    data_sha256: str
    base_model: str
    """A hub id, or a folder's absolute path."""
    max_tokens: int
    metrics: Mapping[str, Any]
    """Scores of ``validation`` and ``test``, and of the ``baselines`` on the test split."""

    @classmethod
    def open(cls, root: Path) -> Self:
        """Read a run directory; ``InputError`` when it isn't one or isn't finished."""
        path = root / RUN_FILE
        if not path.is_file():
            if (root / CONFIG_FILE).is_file():
                raise InputError(
                    f"{root} is an unfinished run; repeat its strop train command with --resume"
                )
            raise InputError(f"{root} is not a run: {RUN_FILE} is missing; make one: strop train")
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            metrics = json.loads((root / METRICS_FILE).read_text(encoding="utf-8"))
            if record["schema"] != SCHEMA:
                raise ValueError(f"its schema is {record['schema']!r}, Strop reads {SCHEMA!r}")
            return cls(
                root=root,
                config=record["config"],
                labels=tuple(record["labels"]),
                data=Path(record["data"]["path"]),
                data_sha256=record["data"]["sha256"],
                base_model=record["base_model"],
                max_tokens=record["config"]["max_tokens"],
                metrics=metrics,
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path} can't be read: {error}; train again") from error

    @property
    def columns(self) -> Columns:
        """Which columns of its data hold what; they name its task, too."""
        return Columns.of(
            self.config["task"],
            text=self.config["text_column"],
            label=self.config["label_column"],
            pair=self.config["pair_column"],
            pooling=self.config.get("pooling"),
        )

    @property
    def task(self) -> Task:
        """What it was trained for."""
        return self.columns.task

    def require_same_question(self, columns: Columns, option: str) -> None:
        """Raise ``InputError`` unless data of these columns ask what the run answers.

        ``option`` is the one that names the run.
        """
        if self.task.name != columns.task.name:
            raise InputError(
                f"{option} {self.root} was trained for {self.task.name}, not {columns.task.name}; give a"
                " run of the same task, or its --task"
            )
        if self.task.pooling != columns.task.pooling:
            raise InputError(
                f"{option} {self.root} was trained with --pooling {self.task.pooling}, not"
                f" {columns.task.pooling}; leave out --pooling"
            )
        if (self.columns.pair is None) != (columns.pair is None):
            kinds = ("single texts", "pairs")
            own, other = kinds if self.columns.pair is None else kinds[::-1]
            raise InputError(
                f"{option} {self.root} judges {own}, and the data has {other}; see --pair-column"
            )

    def splits(self) -> Splits:
        """The data of the run; ``InputError`` when it is gone or has changed since."""
        splits = load_splits(self.data, self.columns)
        if splits.sha256 != self.data_sha256:
            raise InputError(
                f"{self.data} has changed since {self.root} was trained on it (sha256"
                f" {splits.sha256[:12]}…, then {self.data_sha256[:12]}…); restore it or train again"
            )
        return splits

    def merged_model(self, further: Sequence[Adapter] = (), own_weight: float = 1.0) -> "PreTrainedModel":
        """The model with its head, adapters merged, in eval mode, with eager attention, on the CPU.

        ``further`` adapters are added to the run's own, which counts ``own_weight`` times.
        """
        # Not at the top: what a run says of itself is read without torch.
        from .weights import load_weights

        return load_weights(
            self.root, self.base_model, self.task, self.labels, own_weight=own_weight, further=further
        )

    @property
    def method(self) -> str:
        """How it was fine-tuned."""
        return str(self.config["method"])

    @property
    def behind(self) -> list[str]:
        """The baselines that it has not beaten, by the metric that its task is judged by."""
        return unbeaten(self.metrics["test"], self.metrics["baselines"], self.task.lower_is_better)

    @property
    def data_name(self) -> str:
        """What its data is called."""
        return self.data.name

    @property
    def tokenizer_file(self) -> Path:
        """The fast tokenizer's tokenizer.json."""
        return self.root / TOKENIZER_FOLDER / "tokenizer.json"
