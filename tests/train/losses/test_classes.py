"""Losses over classes against torch's own and against what their papers say."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor
from torch.nn import functional

from strop.tasks import IGNORED
from strop.train.losses.classes import balanced_weights, class_counts, class_loss, divergence

CLASSES = 4


@st.composite
def batches(draw: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Logits [n, tokens, classes], labels [n, tokens] of which some are ignored, class weights."""
    shape = (draw(st.integers(1, 4)), draw(st.integers(1, 3)))
    logits = draw(arrays(np.float32, (*shape, CLASSES), elements=st.floats(-30, 30, width=32)))
    labels = draw(arrays(np.int64, shape, elements=st.sampled_from((*range(CLASSES), IGNORED))))
    labels[0, 0] = 0  # at least one place counts
    weights = draw(arrays(np.float32, CLASSES, elements=st.floats(0, 4, width=32)))
    return torch.tensor(logits), torch.tensor(labels), torch.tensor(weights)


@given(batches(), st.floats(0, 0.9))
def test_without_focus_it_is_the_cross_entropy(
    batch: tuple[Tensor, Tensor, Tensor], smoothing: float
) -> None:
    logits, labels, weights = batch
    theirs = functional.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), weights, label_smoothing=smoothing, reduction="sum"
    )
    ours = class_loss(logits, labels, weights=weights, smoothing=smoothing, gamma=0.0)
    torch.testing.assert_close(ours * (labels != IGNORED).sum(), theirs, rtol=1e-4, atol=1e-4)


@given(batches(), st.floats(0.1, 5))
def test_focal_loss_is_the_cross_entropy_times_what_is_missing(
    batch: tuple[Tensor, Tensor, Tensor], gamma: float
) -> None:
    logits, labels, _ = batch
    p = logits.softmax(-1)[labels != IGNORED].gather(1, labels[labels != IGNORED][:, None])
    expected = (-((1 - p) ** gamma) * p.log()).mean()
    logits.requires_grad_()
    ours = class_loss(logits, labels, gamma=gamma)
    torch.testing.assert_close(ours, expected, rtol=1e-3, atol=1e-4)
    ours.backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=30).filter(any))
def test_balanced_weights_give_every_class_the_same_and_all_examples_their_number(
    counts: list[int],
) -> None:
    there = torch.tensor(counts)
    together = there * balanced_weights(there).double()
    assert together[there > 0].numpy() == pytest.approx(sum(counts) / len(counts), rel=1e-5)
    assert (together[there == 0] == 0).all()


@given(batches())
def test_divergence_is_the_mean_of_both_kullback_leibler_divergences(
    batch: tuple[Tensor, Tensor, Tensor],
) -> None:
    logits, labels, _ = batch
    first, second = logits, logits.flip(-1) / 2
    kept = labels != IGNORED
    log_p, log_q = first[kept].log_softmax(-1), second[kept].log_softmax(-1)
    both = [
        functional.kl_div(one, other, log_target=True, reduction="batchmean")
        for one, other in ((log_p, log_q), (log_q, log_p))
    ]
    torch.testing.assert_close(divergence(first, second, labels), sum(both) / 2, rtol=1e-3, atol=1e-5)
    assert divergence(first, first, labels) == 0


def test_labels_are_counted_by_text_or_by_token() -> None:
    assert class_counts([0, 2, 2], 4).tolist() == [1, 0, 2, 0]
    assert class_counts([[IGNORED, 1, 1], [0]], 2).tolist() == [1, 2]
