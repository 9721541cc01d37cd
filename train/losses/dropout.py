"""Dropout other than the model came with."""

from torch import nn
from transformers import PreTrainedModel


def set_dropout(model: PreTrainedModel, encoder: float | None, head: float | None) -> None:
    """Set the share that each dropout layer drops, in the encoder and behind it; None leaves it."""
    inside = set(model.base_model.modules())
    for module in model.modules():
        share = encoder if module in inside else head
        if isinstance(module, nn.Dropout) and share is not None:
            module.p = share
