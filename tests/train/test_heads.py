"""What each head minimises, against torch's own losses."""

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, mse_loss

from strop.tasks import IGNORED
from strop.train.heads import HEADS

NAN = float("nan")
LOGITS = {
    "one-class": (4, 3),
    "many-labels": (4, 3),
    "score": (4, 1),
    "token-classes": (4, 5, 3),
    "span": (4, 5, 2),
}
LABELS = {
    "one-class": torch.tensor([0, 2, 1, 1]),
    "many-labels": torch.tensor([[1.0, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0]]),
    "score": torch.tensor([0.5, -100.0, 2.0, 0.0]),
    "token-classes": torch.tensor([[IGNORED, 0, 1, 2, IGNORED]] * 4),
    "span": torch.tensor([[1, 3], [0, 0], [4, 4], [2, 3]]),
}
LOSSES = {
    "one-class": cross_entropy,
    "many-labels": binary_cross_entropy_with_logits,
    "score": lambda logits, labels: mse_loss(logits.squeeze(1), labels),
    "token-classes": lambda logits, labels: cross_entropy(logits.flatten(0, 1), labels.flatten()),
    "span": lambda logits, labels: (
        (cross_entropy(logits[..., 0], labels[:, 0]) + cross_entropy(logits[..., 1], labels[:, 1])) / 2
    ),
}


def _random(name: str) -> Tensor:
    return torch.randn(LOGITS[name], generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", LOGITS)
def test_the_loss_of_labels_is_torchs(name: str) -> None:
    logits = _random(name)
    assert torch.isclose(HEADS[name].loss(logits, LABELS[name]), LOSSES[name](logits, LABELS[name]))


@pytest.mark.parametrize("name", LOGITS)
def test_texts_without_a_label_do_not_count(name: str) -> None:
    head, logits, labels = HEADS[name], _random(name), LABELS[name].clone()
    none = NAN if labels.is_floating_point() else IGNORED
    labels[1:3] = none
    rest = torch.tensor([0, 3])
    assert torch.isclose(head.loss(logits, labels), head.loss(logits[rest], LABELS[name][rest]))
    assert head.loss(logits, torch.full_like(labels, none)) == 0


def test_no_span_starts_or_ends_in_the_padding_or_in_virtual_tokens() -> None:
    starts, ends = torch.randn(2, 2, 7, generator=torch.Generator().manual_seed(0))
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    logits = HEADS["span"].logits(SimpleNamespace(start_logits=starts, end_logits=ends), mask)
    assert torch.equal(logits[0, :, 0], starts[0, 2:])
    assert torch.equal(logits[1, :3, 1], ends[1, 2:5])
    assert torch.all(logits.softmax(dim=1)[1, 3:] == 0)
