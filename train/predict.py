"""Outputs of a finished model, the way every later stage will see it: merged, in eval mode."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from strop.tasks import Floats, Task

from .batches import Collator, Item, longest_first
from .device import best_device

BATCH = 64


def predict(model: nn.Module, items: Sequence[Item], task: Task, pad_token_id: int) -> list[Floats]:
    """The task's outputs in the order of ``items``; the model is moved to the GPU if there is one."""
    device = best_device()
    model.to(device)
    collate = Collator(pad_token_id)
    order = longest_first(items)
    outputs = [np.empty(0, dtype=np.float32)] * len(items)
    with torch.inference_mode():
        for start in range(0, len(order), BATCH):
            places = order[start : start + BATCH]
            batch = collate([items[place] for place in places]).items()
            inputs = {name: rows.to(device) for name, rows in batch if name != "labels"}
            rows = task.activate(model(**inputs).logits.float().cpu().numpy())
            for place, row in zip(places, rows, strict=True):
                outputs[place] = row[: len(items[place]["input_ids"])] if task.per_token else row
    return outputs
