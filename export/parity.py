"""Whether what was written computes what the model does."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedModel

from strop.errors import StropError
from strop.tasks import IGNORED, Task
from strop.train.heads import HEADS

from .bundle import Layout, by_input, open_runner

# ONNX Runtime sums in another order than torch; MiniLM-L6 differs by about 1e-6.
PARITY = 1e-3


def require_parity(
    model: PreTrainedModel,
    task: Task,
    layout: Layout,
    examples: Sequence[NDArray[np.int64]],
    path: Path,
) -> None:
    """Compare a graph's or a program's logits with the model's, which takes the examples one at a time.

    Raises ``StropError`` when any differs by more than ``PARITY``.
    """
    head = HEADS[task.head]
    with torch.no_grad():
        wanted = [head.answers(model, _alone(sequence, layout))[0][0].numpy() for sequence in examples]
    found = by_input(task, layout, open_runner(path).run(layout.feeds(examples)), examples)
    difference = max(float(np.abs(a - b).max()) for a, b in zip(found, wanted, strict=True))
    if not difference <= PARITY:
        raise StropError(
            f"the logits of {path.name} differ from torch's by {difference:.2g}, more than {PARITY:g}"
        )


def _alone(sequence: NDArray[np.int64], layout: Layout) -> dict[str, Tensor]:
    """A sequence of ``Layout.feeds`` as a model takes it alone, labelled where a mask is to be told."""
    columns = torch.from_numpy(sequence).reshape(len(sequence), -1).T
    inputs = dict(zip(("input_ids", "token_type_ids"), columns[:, np.newaxis], strict=False))
    ids = inputs["input_ids"]
    masks = torch.full_like(ids, -1 if layout.mask_token_id is None else layout.mask_token_id)
    labels = torch.where(ids == masks, ids, IGNORED)
    return inputs | {"attention_mask": torch.ones_like(ids), "labels": labels}
