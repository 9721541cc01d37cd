"""How far a model's logits are from the teacher's, and from the labels."""

import torch
from torch import Tensor
from torch.nn.functional import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    kl_div,
    log_softmax,
    mse_loss,
)

from strop.tasks import IGNORED, Task


def distance(task: Task, found: Tensor, wanted: Tensor, temperature: float = 1.0) -> Tensor:
    """The mean over rows of logits [n, outputs].

    Where outputs are probabilities of one choice it is the Kullback-Leibler divergence at a
    temperature, times its square (Hinton et al., 2015), else the mean squared difference.
    """
    if not task.one_choice:
        return mse_loss(found, wanted)
    ours, theirs = (log_softmax(logits / temperature, -1) for logits in (found, wanted))
    return temperature**2 * kl_div(ours, theirs, reduction="batchmean", log_target=True)


def label_loss(task: Task, logits: Tensor, labels: Tensor) -> Tensor:
    """What the task's head minimises, over the rows that have labels; 0 if none has."""
    flat = labels.flatten() if task.one_choice else labels.reshape(len(labels), -1)
    known = flat != IGNORED if task.one_choice else flat[:, 0] != IGNORED
    if not known.any():
        return torch.zeros((), device=logits.device)
    rows, wanted = logits.reshape(len(flat), -1)[known], flat[known]
    if task.one_choice:
        return cross_entropy(rows, wanted)
    if task.problem_type == "multi_label_classification":
        return binary_cross_entropy_with_logits(rows, wanted)
    return mse_loss(rows, wanted)


def own_rows(task: Task, logits: Tensor, real: Tensor) -> Tensor:
    """The rows [n, outputs] that stand for a text or, of a task per token, for a ``real`` [b, t] one."""
    return logits[real] if task.per_token else logits
