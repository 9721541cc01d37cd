"""Outputs of a finished model, the way every later stage will see it: merged, in eval mode."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from strop.tasks import Floats, Outputs, Task

from .batches import Collator, Item, longest_first
from .device import best_device
from .heads import HEADS
from .on_demand import Grouped


def predict(model: nn.Module, items: Sequence[Item], task: Task, pad_token_id: int) -> list[Floats]:
    """The task's outputs in the order of ``items``; the model is moved to the GPU if there is one."""
    device = best_device()
    model.to(device)
    head = HEADS[task.head]
    collate = Collator(pad_token_id)
    order = longest_first(Grouped(items, np.ones(len(items))))
    outputs = [np.empty(0, dtype=np.float32)] * len(items)
    with torch.inference_mode():
        for start in range(0, len(order), head.evaluation_batch):
            places = order[start : start + head.evaluation_batch]
            chosen = [items[place] for place in places]
            batch = collate([(item,) for item in chosen])
            on_device = {name: tensor.to(device) for name, tensor in batch.items()}
            logits, _ = head.answers(model, on_device)
            kept = head.summary(logits, on_device["labels"]).cpu().numpy()
            for place, output in zip(places, unpadded(head.outputs(kept, task), chosen), strict=True):
                outputs[place] = output
    return outputs


def unpadded(outputs: Floats, items: Sequence[Item]) -> Outputs:
    """Rows [n, outputs] as they are; of [n, longest, outputs] for each item those of its own tokens."""
    if outputs.ndim == 2:
        return outputs
    return [rows[: len(item["input_ids"])] for rows, item in zip(outputs, items, strict=True)]
