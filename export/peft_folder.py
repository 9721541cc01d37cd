"""A peft folder with its base and labelled data, which export takes in place of a run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self, cast

from transformers.utils.hub import cached_file

from strop.errors import InputError
from strop.tasks import Task
from strop.train.adapter import Adapter
from strop.train.data.splits import Splits, load_splits
from strop.train.encoder import Encoder
from strop.train.merge import merged_model

from .config import ExportConfig

if TYPE_CHECKING:
    from transformers import PreTrainedModel


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
    behind: tuple[str, ...] = ()
    """Nobody has held it against a baseline."""

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
