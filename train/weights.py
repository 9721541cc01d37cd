"""What is trained of a model, and how it lies in a run directory: an adapter, or a whole model."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from peft import PeftModel, TaskType, get_peft_model
from transformers import PreTrainedModel

from strop.errors import InputError
from strop.tasks import Task

from .adapter import ADAPTER_FOLDER, Adapter
from .attach import attach
from .attention import fuse_attention
from .config import TrainConfig
from .disk import faults_as_os_errors
from .encoder import Encoder
from .heads import HEADS
from .losses.dropout import set_dropout
from .merge import merged_model
from .methods import METHODS

MODEL_FOLDER = "model"
START_FOLDER = "start"
"""The model that a run started from, where it is no other's: that of an earlier run."""


def trainable(
    encoder: Encoder, task: Task, labels: Sequence[str], config: TrainConfig, steps: int
) -> PreTrainedModel | PeftModel:
    """A model to train for so many steps: what the method trains of it, and the whole head.

    Raises ``InputError`` when the method doesn't fit the encoder.
    """
    model, _ = encoder.model(task, labels)
    fuse_attention(model)
    set_dropout(model, config.encoder_dropout, config.head_dropout)
    method = config.chosen_method
    if method.settings is None:
        return model
    settings = method.settings(config, model, steps)
    head = HEADS[task.head]
    settings.task_type = TaskType(head.adapter_type)
    # All of it, also where the encoder came with a part: a sentence encoder's pooler was never used.
    parts = [f".{name}" for name, _ in model.named_modules()]
    whole = [name for name in head.modules if any(part.endswith(f".{name}") for part in parts)]
    settings.modules_to_save = whole  # type: ignore[attr-defined]
    if whole:
        settings.exclude_modules = rf"(.*\.)?({'|'.join(map(re.escape, whole))})(\..*)?"  # type: ignore[attr-defined]
    try:
        return get_peft_model(model, settings)
    except ValueError as error:
        raise InputError(
            f"--method {method.name} doesn't fit {encoder.name} ({error}); choose another method"
        ) from error


def save_weights(model: PreTrainedModel | PeftModel, root: Path) -> None:
    """Write what was trained into a run directory, in place of an earlier attempt."""
    folder = root / (ADAPTER_FOLDER if isinstance(model, PeftModel) else MODEL_FOLDER)
    shutil.rmtree(folder, ignore_errors=True)
    with faults_as_os_errors(folder):
        if isinstance(model, PeftModel):
            model.save_pretrained(str(folder), save_embedding_layers=False)
            (folder / "README.md").unlink()  # an unfilled template
        else:
            model.save_pretrained(folder)


def weights_folder(root: Path, base_model: str) -> str:
    """Where a run's weights lie, or what its adapter belongs to: in the run itself, or its base model."""
    kept = (root / name for name in (MODEL_FOLDER, START_FOLDER))
    return next((str(folder.resolve()) for folder in kept if folder.is_dir()), base_model)


def load_weights(
    root: Path,
    base_model: str,
    task: Task,
    labels: Sequence[str],
    *,
    own_weight: float = 1.0,
    further: Sequence[Adapter] = (),
) -> PreTrainedModel:
    """The model of a run directory, its adapter and ``further`` ones merged, as ``merge`` leaves it.

    Raises ``InputError`` when the base model or an adapter can't be had, doesn't fit or can't be merged.
    """
    folder = weights_folder(root, base_model)
    if not (root / MODEL_FOLDER).is_dir():
        return merged_model(folder, task, labels, Adapter(root / ADAPTER_FOLDER, own_weight), further)
    if own_weight != 1.0:
        raise InputError(f"--own-weight is {own_weight}, but {root} has no adapter to weigh; leave it out")
    return merged_model(folder, task, labels, None, further)


def load_to_score(
    root: Path, base_model: str, task: Task, labels: Sequence[str], method: str
) -> PreTrainedModel | PeftModel:
    """The model of a run directory as ``load_weights`` has it, or unmerged if it can't be merged."""
    if not METHODS[method].virtual_tokens:
        return load_weights(root, base_model, task, labels)
    encoder = Encoder.open(weights_folder(root, base_model), task)
    model, _ = encoder.model(task, labels)
    return attach(model, Adapter(root / ADAPTER_FOLDER), encoder.name)
