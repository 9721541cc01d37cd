"""The loss of a training step, as the options ask for it."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial

import torch
from torch import Tensor, nn

from strop.errors import InputError

from ..heads import Head
from .classes import balanced_weights, class_counts, class_loss, divergence
from .options import LossOptions

Objective = Callable[[nn.Module, Mapping[str, Tensor]], Tensor]
"""The loss of a model on a batch, a scalar: the mean over its examples."""


def own_objective(head: Head) -> Objective:
    """The head's own loss, without any option."""
    return lambda model, batch: head.loss(*head.answers(model, batch))


def make_objective(options: LossOptions, head: Head, labels: Iterable[object], classes: int) -> Objective:
    """The head's own loss, or one over classes; ``labels`` are those of the training inputs.

    Raises ``InputError`` for an option that the head doesn't fit.
    """
    if options.class_option is None:
        return own_objective(head)
    if not head.of_classes:
        raise InputError(
            f"{options.class_option} needs a task whose answer is one of some classes; leave it out"
        )
    counts = class_counts(labels, classes)
    loss = partial(
        class_loss,
        weights=balanced_weights(counts) if options.class_weights == "balanced" else None,
        smoothing=options.label_smoothing,
        gamma=options.focal_gamma,
    )

    def once(model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        return loss(*head.answers(model, batch))

    def twice(model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """The mean loss of two dropout passes, and how far they are apart, as R-Drop weighs it."""
        doubled = {name: torch.cat((rows, rows)) for name, rows in batch.items()}
        logits, labels = head.answers(model, doubled)
        first, second = logits.chunk(2)
        return loss(logits, labels) + options.r_drop * divergence(first, second, labels.chunk(2)[0])

    return twice if options.r_drop else once
