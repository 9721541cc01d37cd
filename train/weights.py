"""Which weights are trained, and how they lie in a run directory: an adapter, or a whole model."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from transformers import PreTrainedModel

from .config import TrainConfig
from .encoder import Encoder

ADAPTER_FOLDER = "adapter"
MODEL_FOLDER = "model"


def trainable(encoder: Encoder, labels: Sequence[str], config: TrainConfig) -> PreTrainedModel | PeftModel:
    """A classifier to train: all of it, or a LoRA on each linear layer and the whole head."""
    model, untrained = encoder.classifier(labels)
    if config.method == "full":
        return model
    return get_peft_model(
        model,
        LoraConfig(
            task_type=TaskType.SEQ_CLS,
            r=config.lora_rank,
            lora_alpha=config.alpha,
            lora_dropout=config.lora_dropout,
            target_modules="all-linear",
            modules_to_save=list(untrained),
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


def load_weights(root: Path, base_model: str, labels: Sequence[str]) -> PreTrainedModel:
    """The classifier of a run directory, adapter merged, in eval mode, with eager attention.

    Raises ``InputError`` when the base model can't be had.
    """
    whole = root / MODEL_FOLDER
    encoder = Encoder.open(str(whole) if whole.is_dir() else base_model)
    model, _ = encoder.classifier(labels, attention="eager")
    if not whole.is_dir():
        adapted = PeftModel.from_pretrained(model, str(root / ADAPTER_FOLDER))
        model = cast(PreTrainedModel, adapted.merge_and_unload())
    model.train(False)
    return model
