"""Which weights are trained, and how they lie in a run directory: an adapter, or a whole model."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from transformers import PreTrainedModel

from strop.errors import InputError
from strop.tasks import Task

from .adapter import ADAPTER_FOLDER, Adapter
from .config import TrainConfig
from .encoder import Encoder
from .merge import merged_model

MODEL_FOLDER = "model"


def trainable(
    encoder: Encoder, task: Task, labels: Sequence[str], config: TrainConfig
) -> PreTrainedModel | PeftModel:
    """A model to train: all of it, or a LoRA on each linear layer and the whole head."""
    model, untrained = encoder.model(task, labels)
    if config.method == "full":
        return model
    return get_peft_model(
        model,
        LoraConfig(
            task_type=TaskType(task.adapter_type),
            r=config.lora_rank,
            lora_alpha=config.alpha,
            lora_dropout=config.lora_dropout,
            target_modules="all-linear",
            modules_to_save=sorted({*untrained, "classifier"}),
        ),
    )


def save_weights(model: PreTrainedModel | PeftModel, root: Path) -> None:
    """Write what was trained into a run directory, in place of an earlier attempt."""
    if not isinstance(model, PeftModel):
        shutil.rmtree(root / MODEL_FOLDER, ignore_errors=True)
        model.save_pretrained(root / MODEL_FOLDER)
        return
    folder = root / ADAPTER_FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(str(folder), save_embedding_layers=False)
    (folder / "README.md").unlink()  # an unfilled template


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

    Raises ``InputError`` when the base model or an adapter can't be had, or doesn't fit.
    """
    whole = root / MODEL_FOLDER
    if not whole.is_dir():
        return merged_model(base_model, task, labels, Adapter(root / ADAPTER_FOLDER, own_weight), further)
    if own_weight != 1.0:
        raise InputError(f"--own-weight is {own_weight}, but {root} has no adapter to weigh; leave it out")
    return merged_model(str(whole), task, labels, None, further)
