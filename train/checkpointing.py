"""Gradient checkpointing by the name that the transformers installed here has for it."""

from dataclasses import fields
from typing import Any

from torch import nn
from transformers.training_args import TrainingArguments

NEW, OLD = "activation_checkpointing", "gradient_checkpointing"
# transformers renamed it between 5.17 and 5.23; each refuses, or warns of, the other's name.
NAME = NEW if NEW in {field.name for field in fields(TrainingArguments)} else OLD


def checkpointing_option(*, asked: bool) -> dict[str, Any]:
    """The option of ``TrainingArguments``."""
    return {NAME: asked}


def enable_checkpointing(model: nn.Module) -> None:
    """Have each layer of a transformers model compute its activations again instead of keeping them."""
    getattr(model, f"{NAME}_enable")()
