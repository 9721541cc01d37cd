"""What a cut model minimises, by task: how far it is from its teacher, and from the labels."""

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, mse_loss

from strop.export.shapes.loss import distance, label_loss, own_rows
from strop.tasks import IGNORED, TASKS

LOGITS = {
    "text-classification": (4, 3),
    "multi-label-classification": (4, 3),
    "regression": (4, 1),
    "token-classification": (4, 5, 3),
}
LABELS = {
    "text-classification": torch.tensor([0, 2, 1, 1]),
    "multi-label-classification": torch.tensor([[1.0, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0]]),
    "regression": torch.tensor([0.5, -1.0, 2.0, 0.0]),
    "token-classification": torch.tensor([[IGNORED, 0, 1, 2, IGNORED]] * 4),
}
LOSSES = {
    "text-classification": cross_entropy,
    "multi-label-classification": binary_cross_entropy_with_logits,
    "regression": lambda logits, labels: mse_loss(logits.squeeze(1), labels),
    "token-classification": lambda logits, labels: cross_entropy(logits.flatten(0, 1), labels.flatten()),
}


def random(shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", LOGITS)
def test_the_loss_of_labels_is_that_of_the_tasks_head(name):
    logits = random(LOGITS[name], 0)
    assert torch.isclose(label_loss(TASKS[name], logits, LABELS[name]), LOSSES[name](logits, LABELS[name]))


@pytest.mark.parametrize("name", LOGITS)
def test_texts_without_a_label_do_not_count(name):
    logits, labels = random(LOGITS[name], 0), LABELS[name].clone()
    labels[1:3] = IGNORED
    rest = torch.tensor([0, 3])
    wanted = label_loss(TASKS[name], logits[rest], LABELS[name][rest])
    assert torch.isclose(label_loss(TASKS[name], logits, labels), wanted)
    assert label_loss(TASKS[name], logits, torch.full_like(labels, IGNORED)) == 0


@pytest.mark.parametrize("name", LOGITS)
def test_the_distance_is_nothing_to_itself_and_padding_has_no_part_in_it(name):
    task, ours, theirs = TASKS[name], random(LOGITS[name], 0), random(LOGITS[name], 1)
    real = torch.ones(4, 5, dtype=torch.bool)
    real[:, 3:] = False
    ours_real, theirs_real = (own_rows(task, logits, real) for logits in (ours, theirs))
    assert torch.isclose(distance(task, ours_real, ours_real), torch.tensor(0.0), atol=1e-6)
    assert distance(task, ours_real, theirs_real, temperature=2.0) > 0
    if task.per_token:
        ours[:, 3:] += 9
        assert torch.equal(own_rows(task, ours, real), ours_real)
