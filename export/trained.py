"""What export compresses: a run of strop train, or a peft folder with its base and labelled data."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self, cast

from transformers.utils.hub import cached_file

from strop.errors import InputError
from strop.options import flag
from strop.tasks import Task
from strop.train.adapter import Adapter, is_adapter
from strop.train.data.splits import Splits, load_splits
from strop.train.encoder import Encoder
from strop.train.merge import merged_model
from strop.train.run import RUN_FILE, Run

from .config import ExportConfig

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


def open_trained(config: ExportConfig) -> Trained:
    """The run or peft folder that ``config`` names; ``InputError`` when something is missing."""
    if is_adapter(config.run):
        return PeftFolder.open(config)
    run = Run.open(config.run)
    if not run.task.served:
        raise InputError(
            f"{run.root} was trained for {run.task.name}, which Strop can't export or serve yet; write its"
            f" model as a folder that transformers loads: strop merge {run.root} --out FOLDER"
        )
    for name in ("base", "data", "labels", "max_tokens"):
        if getattr(config, name):
            raise InputError(f"{flag(name)} is for a peft folder, and {run.root} is a run; leave it out")
    return run


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


@dataclass(frozen=True)
class PeftFolder:
    """An adapter that peft saved, with what it can't say of itself."""

    root: Path
    base_model: str
    task: Task
    labels: tuple[str, ...]
    max_tokens: int
    method: str
    data_name: str
    data: Splits

    @classmethod
    def open(cls, config: ExportConfig) -> Self:
        """Check the options against the adapter, its base and the data; ``InputError`` names the fix."""
        adapter = Adapter(config.run)
        named = adapter.base_model
        base = config.base or named
        if base is None:
            raise InputError(f"{config.run} names no base model; give the one it was trained on: --base")
        if config.data is None:
            raise InputError(
                f"{config.run} is a peft folder, which has no data; give labelled texts: --data"
            )
        if named and Path(named).is_dir() and Path(named).resolve() != Path(base).resolve():
            raise InputError(f"--base is {base}, but {config.run} was trained on {named}; leave out --base")
        encoder, data = Encoder.open(base), load_splits(config.data)
        max_tokens = config.max_tokens or encoder.longest
        encoder.require_tokens(max_tokens)
        return cls(
            root=config.run,
            base_model=encoder.name,
            task=data.task,
            labels=_labels(config, encoder, data),
            max_tokens=max_tokens,
            method=str(adapter.settings()["peft_type"]),
            data_name=config.data.name,
            data=data,
        )

    @property
    def data_sha256(self) -> str:
        """Of the splits' content."""
        return self.data.sha256

    @property
    def tokenizer_file(self) -> Path:
        """The base's tokenizer.json."""
        try:
            return Path(cast(str, cached_file(self.base_model, "tokenizer.json")))
        except OSError as error:
            raise InputError(
                f"model {self.base_model} has no tokenizer.json; save its fast tokenizer"
            ) from error

    def splits(self) -> Splits:
        """The splits of ``--data``."""
        return self.data

    def merged_model(self, further: Sequence[Adapter], own_weight: float) -> "PreTrainedModel":
        """The model, adapters merged, in eval mode, with eager attention, on the CPU."""
        return merged_model(
            self.base_model, self.task, self.labels, Adapter(self.root, own_weight), further
        )


def _labels(config: ExportConfig, encoder: Encoder, data: Splits) -> tuple[str, ...]:
    """The class names by id: given, or the base's own where they are those of the data."""
    names = {int(number): name for number, name in (encoder.config.id2label or {}).items()}
    labels = config.labels or tuple(names[number] for number in sorted(names))
    if sorted(labels) != list(data.labels):
        whose = "--labels gives" if config.labels else f"{encoder.name} names"
        raise InputError(
            f"{whose} the classes {', '.join(labels)}, and {config.data} has {', '.join(data.labels)};"
            " give --labels in the order of the class ids"
        )
    return labels
