"""What export compresses: a run of strop train, or what else can tell of itself what a run does."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from strop.errors import InputError
from strop.options import flag
from strop.tasks import Task
from strop.train.adapter import Adapter
from strop.train.data.splits import Splits
from strop.train.examples import require_texts
from strop.train.run import RUN_FILE, Run

from .config import ExportConfig
from .gate import require_worth

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Trained(Protocol):
    """What every step of a build needs to know of a model; a ``Run`` knows it all."""

    @property
    def root(self) -> Path:
        """Its directory."""

    @property
    def task(self) -> Task:
        """What it was trained for."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of its outputs; an output's number is its place here."""

    @property
    def base_model(self) -> str:
        """A hub id, or a folder's absolute path."""

    @property
    def max_tokens(self) -> int:
        """Longest text in tokens."""

    @property
    def data_sha256(self) -> str:
        """Of the splits' content."""

    @property
    def tokenizer_file(self) -> Path:
        """The fast tokenizer's tokenizer.json."""

    @property
    def method(self) -> str:
        """How it was fine-tuned."""

    @property
    def data_name(self) -> str:
        """What its data is called."""

    @property
    def behind(self) -> Sequence[str]:
        """What costs nothing and was found to be as good: the baselines that it has not beaten."""

    def splits(self) -> Splits:
        """Labelled texts to calibrate with and to judge by."""

    def merged_model(self, further: Sequence[Adapter], own_weight: float) -> "PreTrainedModel":
        """The model, adapters merged, in eval mode, with eager attention, on the CPU."""


def base_folder(trained: Trained) -> Path | None:
    """Where the base model lies, if it isn't from the hub."""
    return path if (path := Path(trained.base_model)).is_absolute() else None


def base_name(trained: Trained) -> str:
    """A hub id as it is, a folder by its name alone: where it lay is nobody else's business."""
    folder = base_folder(trained)
    return folder.name if folder else trained.base_model


def open_run(config: ExportConfig) -> Run:
    """The run that ``config`` names; ``InputError`` when it can't be exported, or not with its options."""
    run = Run.open(config.run)
    if not run.task.served:
        raise InputError(
            f"{run.root} was trained for {run.task.name}, which Strop can't export or serve yet; write its"
            f" model as a folder that transformers loads: strop merge {run.root} --out FOLDER"
        )
    for name in ("base", "data", "labels", "max_tokens"):
        if getattr(config, name):
            raise InputError(f"{flag(name)} is for a peft folder, and {run.root} is a run; leave it out")
    if not config.adapters:  # with them it is another model, which only the gate can judge
        metric = run.task.metrics[0]
        require_worth(str(run.root), metric, run.metrics["test"][metric])
    return run


def caveat(trained: Trained) -> str | None:
    """What whoever uses the model should know of its training, if anything."""
    if not trained.behind:
        return None
    return (
        f"{trained.root.resolve().name} was not ahead of {' and '.join(trained.behind)} when it was"
        " trained, so that keeping all of its score is worth little; train it with more epochs, another"
        " learning rate or more texts before it is used"
    )


def further_adapters(config: ExportConfig, trained: Trained) -> list[Adapter]:
    """The adapters of ``--adapters``; ``InputError`` for a run's whose classes are others."""
    adapters = [Adapter.parse(text) for text in config.adapters]
    for adapter in adapters:
        owner = adapter.folder.parent
        if (owner / RUN_FILE).is_file() and (labels := Run.open(owner).labels) != trained.labels:
            raise InputError(
                f"{owner} has the classes {', '.join(labels)}, and {trained.root} has"
                f" {', '.join(trained.labels)}; merge adapters of the same classes"
            )
    return adapters


def require_lessons(config: ExportConfig, trained: Trained) -> None:
    """Raise ``InputError`` where ``--unlabelled`` has nothing that a cut model could learn from."""
    if config.unlabelled is None:
        return
    if trained.task.pair_column:
        raise InputError(
            f"--unlabelled {config.unlabelled}: {trained.task.name} learns from pairs; leave it out"
        )
    require_texts(config.unlabelled)
