"""How far a cut model is from its teacher, by task."""

import pytest
import torch

from strop.export.shapes.distance import distance, own_rows
from strop.tasks import TASKS

LOGITS = {
    "text-classification": (4, 3),
    "multi-label-classification": (4, 3),
    "regression": (4, 1),
    "token-classification": (4, 5, 3),
}


def random(shape, seed):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", LOGITS)
def test_the_distance_is_nothing_to_itself_and_padding_has_no_part_in_it(name):
    task, ours, theirs = TASKS[name], random(LOGITS[name], 0), random(LOGITS[name], 1)
    real = torch.ones(4, 5, dtype=torch.bool)
    real[:, 3:] = False
    ours_real, theirs_real = (own_rows(logits, real) for logits in (ours, theirs))
    assert torch.isclose(distance(task, ours_real, ours_real), torch.tensor(0.0), atol=1e-6)
    assert distance(task, ours_real, theirs_real, temperature=2.0) > 0
    if task.per_token:
        ours[:, 3:] += 9
        assert torch.equal(own_rows(ours, real), ours_real)
