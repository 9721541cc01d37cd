"""A tiny classifier and one batch for it."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel, set_seed

from strop.tasks import TASKS
from strop.train.encoder import Encoder


@pytest.fixture
def make_model(tiny_encoder: Path) -> Callable[[], PreTrainedModel]:
    """Makes the same classifier of three classes each time, in train mode."""

    def make() -> PreTrainedModel:
        set_seed(0)
        model, _ = Encoder.open(str(tiny_encoder)).model(
            TASKS["text-classification"], ("bad", "good", "plain")
        )
        return model.train()

    return make


@pytest.fixture
def batch() -> dict[str, Tensor]:
    """Four texts, of which the last is shorter."""
    ids = torch.tensor([[2, 45, 46, 47, 3], [2, 10, 20, 30, 3], [2, 49, 50, 51, 3], [2, 12, 3, 1, 1]])
    return {"input_ids": ids, "attention_mask": (ids != 1).long(), "labels": torch.tensor([0, 1, 2, 1])}
