"""Predictions of a finished model, the way every later stage will see it: merged, in eval mode."""

from collections.abc import Sequence

import torch
from torch import nn

from .batches import Collator, Item, longest_first
from .device import best_device

BATCH = 64


def predict(model: nn.Module, items: Sequence[Item], pad_token_id: int) -> list[int]:
    """Class ids in the order of ``items``; the model is moved to the GPU if there is one."""
    device = best_device()
    model.to(device)
    collate = Collator(pad_token_id)
    order = longest_first(items)
    predicted = [0] * len(items)
    with torch.inference_mode():
        for start in range(0, len(order), BATCH):
            places = order[start : start + BATCH]
            batch = collate([items[place] for place in places]).items()
            inputs = {name: rows.to(device) for name, rows in batch if name != "labels"}
            for place, number in zip(places, model(**inputs).logits.argmax(-1), strict=True):
                predicted[place] = int(number)
    return predicted
