"""What a training step minimises, on a real model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from strop.errors import InputError
from strop.tasks import TASKS
from strop.train.config import TrainConfig
from strop.train.heads import HEADS
from strop.train.losses.classes import divergence
from strop.train.losses.dropout import set_dropout
from strop.train.losses.objective import make_objective, own_objective

HEAD = HEADS["one-class"]
OWN_LOSS = own_objective(HEAD)
LABELS = [0, 0, 0, 1, 2, 1]


def _options(**options: Any) -> TrainConfig:
    return TrainConfig(Path("data"), model="model", out=Path("run"), **options)


def test_without_options_it_is_the_loss_that_transformers_computes(
    make_model: Callable[[], PreTrainedModel], batch: dict[str, Tensor]
) -> None:
    model = make_model().eval()
    found = make_objective(_options(), HEAD, LABELS, 3)(model, batch)
    torch.testing.assert_close(found, model(**batch).loss)


def test_a_loss_over_classes_meets_the_models_own_where_its_options_vanish(
    make_model: Callable[[], PreTrainedModel], batch: dict[str, Tensor]
) -> None:
    model = make_model().eval()
    almost = make_objective(_options(label_smoothing=1e-9), HEAD, LABELS, 3)
    torch.testing.assert_close(almost(model, batch), OWN_LOSS(model, batch))
    weighted = make_objective(_options(class_weights="balanced"), HEAD, LABELS, 3)
    expected = nn.functional.cross_entropy(
        model(**batch).logits, batch["labels"], torch.tensor([2 / 3, 1, 2]), reduction="none"
    )
    torch.testing.assert_close(weighted(model, batch), expected.mean())


def test_r_drop_adds_nothing_without_dropout_and_the_divergence_with_it(
    make_model: Callable[[], PreTrainedModel], batch: dict[str, Tensor]
) -> None:
    model = make_model()
    objective = make_objective(_options(r_drop=3.0), HEAD, LABELS, 3)
    torch.manual_seed(1)
    logits = model(**{name: torch.cat((rows, rows)) for name, rows in batch.items()}).logits
    torch.manual_seed(1)
    found = objective(model, batch)
    apart = divergence(*logits.chunk(2), batch["labels"])
    assert apart > 0
    doubled = torch.cat((batch["labels"], batch["labels"]))
    torch.testing.assert_close(found, nn.functional.cross_entropy(logits, doubled) + 3 * apart)

    set_dropout(model, 0.0, 0.0)
    torch.testing.assert_close(objective(model, batch), OWN_LOSS(model, batch))


@pytest.mark.parametrize("head", ["many-labels", "score", "span"])
def test_a_loss_over_classes_is_refused_where_an_answer_is_none(head: str) -> None:
    with pytest.raises(InputError, match="--focal-gamma needs a task whose answer is one of some classes"):
        make_objective(_options(focal_gamma=2.0), HEADS[head], LABELS, 3)


@pytest.mark.parametrize("family", ["bert", "distilbert", "electra", "mpnet", "roberta"])
def test_dropout_is_set_in_the_encoder_and_in_the_head_apart(
    make_encoder: Callable[[Path, str], None], tmp_path: Path, family: str
) -> None:
    from strop.train.encoder import Encoder

    make_encoder(tmp_path, family)
    model, _ = Encoder.open(str(tmp_path)).model(TASKS["text-classification"], ("bad", "good"))
    set_dropout(model, 0.25, 0.5)
    shares = {name: one.p for name, one in model.named_modules() if isinstance(one, nn.Dropout)}
    head = {name for name in shares if not name.startswith(f"{model.base_model_prefix}.")}
    assert head
    assert {shares[name] for name in head} == {0.5}
    assert {shares[name] for name in shares.keys() - head} == {0.25}
    set_dropout(model, None, 0.0)
    assert any(one.p == 0.25 for one in model.modules() if isinstance(one, nn.Dropout))
