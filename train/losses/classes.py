"""Losses over classes: cross-entropy, smoothed, weighted, focal; the divergence of two predictions."""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from strop.tasks import IGNORED


def class_loss(
    logits: Tensor,
    labels: Tensor,
    *,
    weights: Tensor | None = None,
    smoothing: float = 0.0,
    gamma: float = 0.0,
) -> Tensor:
    """The mean over the labelled places of Σₖ wₖ qₖ (1 − pₖ)^γ (−ln pₖ), a scalar in nats.

    p is the softmax of ``logits`` [..., classes] and q the label [...] with the share ``smoothing`` of
    it spread over all classes (Szegedy et al., "Rethinking the Inception Architecture", 2016); ``gamma``
    is that of the focal loss (Lin et al., "Focal Loss for Dense Object Detection", 2017), and
    ``weights`` [classes] count each class. Without options it is the cross-entropy. The mean isn't
    divided by the weights in the batch: that would undo them where a batch has one class.
    """
    kept = labels != IGNORED
    log_p = functional.log_softmax(logits[kept].float(), dim=-1)
    classes = log_p.shape[-1]
    q = (1 - smoothing) * functional.one_hot(labels[kept], classes) + smoothing / classes
    terms = -q * log_p
    if weights is not None:
        terms = terms * weights.to(terms.device)
    if gamma:
        # Held off 0, where a power below 1 has no gradient.
        terms = terms * (-torch.expm1(log_p)).clamp_min(torch.finfo(log_p.dtype).eps) ** gamma
    return terms.sum(dim=-1).mean()


def divergence(first: Tensor, second: Tensor, labels: Tensor) -> Tensor:
    """½ (KL(p‖q) + KL(q‖p)) of two predictions, the mean over the labelled places, a scalar in nats.

    p and q are the softmax of logits [..., classes], at the places where ``labels`` [...] has one.
    Liang et al., "R-Drop: Regularized Dropout for Neural Networks", 2021.
    """
    kept = labels != IGNORED
    log_p, log_q = (functional.log_softmax(one[kept].float(), dim=-1) for one in (first, second))
    # Both directions at once: KL(p‖q) + KL(q‖p) = Σ (p − q)(ln p − ln q).
    return ((log_p.exp() - log_q.exp()) * (log_p - log_q)).sum(dim=-1).mean() / 2


def balanced_weights(counts: Tensor) -> Tensor:
    """The weights n / (k nₖ) for each of k classes with nₖ of n examples, fp32; 0 for a class without any.

    So every class weighs alike, and all examples together weigh n (King and Zeng, "Logistic Regression
    in Rare Events Data", 2001).
    """
    weights = counts.sum() / (len(counts) * counts.clamp_min(1))
    return torch.where(counts > 0, weights, 0.0)


def class_counts(labels: Iterable[object], classes: int) -> Tensor:
    """Examples of each class, int64 [classes]; a label is a class id, or one for each token."""
    counts = np.zeros(classes, dtype=np.int64)
    for label in labels:
        ids = np.atleast_1d(np.asarray(label))
        counts += np.bincount(ids[ids != IGNORED], minlength=classes)
    return torch.from_numpy(counts)
