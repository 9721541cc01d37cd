"""Attacks on the embeddings: where they lead, what they leave alone, what they compose with."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from strop.train.command import train
from strop.train.config import TrainConfig
from strop.train.heads import HEADS
from strop.train.losses.adversary import Adversary
from strop.train.losses.dropout import set_dropout
from strop.train.losses.objective import own_objective
from strop.train.run import Run

OWN_LOSS = own_objective(HEADS["one-class"])


def _options(**options: Any) -> TrainConfig:
    return TrainConfig(Path("data"), model="model", out=Path("run"), **options)


def _attack(
    model: PreTrainedModel, batch: dict[str, Tensor], options: TrainConfig, bf16: bool = False
) -> tuple[list[float], list[Tensor]]:
    """The loss of each pass, unweighted, and what was added to the embeddings in each."""
    embeddings = model.get_input_embeddings()
    adversary = Adversary(embeddings, options)
    losses, added = [], []
    plain = embeddings(batch["input_ids"]).detach()

    def step() -> Tensor:
        watch = embeddings.register_forward_hook(lambda _, __, out: added.append((out - plain).detach()))
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = OWN_LOSS(model, batch)
        watch.remove()
        losses.append(float(loss.detach()))
        (loss * adversary.weight).backward()
        return loss.detach()

    assert float(adversary.train_through(step)) == losses[0]
    assert adversary.weight == 1.0
    assert torch.equal(embeddings(batch["input_ids"]), plain)  # the hook is gone
    return losses, added


@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize(("method", "passes"), [("fgm", 2), ("pgd", 5)])
def test_an_attack_raises_the_loss_within_epsilon_and_leaves_the_weights(
    make_model: Callable[[], PreTrainedModel],
    batch: dict[str, Tensor],
    method: str,
    passes: int,
    bf16: bool,
) -> None:
    model = make_model()
    set_dropout(model, 0.0, 0.0)
    before = {name: one.detach().clone() for name, one in model.named_parameters()}
    options = _options(adversarial=method, adversarial_epsilon=0.5, adversarial_steps=4)
    losses, added = _attack(model, batch, options, bf16)
    assert len(losses) == passes
    assert losses[-1] > losses[0]
    assert not added[0].any()
    lengths = [delta.flatten(1).norm(dim=1) for delta in added[1:]]
    assert all((length <= 0.5 + 1e-5).all() for length in lengths)
    torch.testing.assert_close(lengths[-1], torch.full((4,), 0.5), rtol=0.05, atol=0)
    assert all(torch.equal(one, before[name]) for name, one in model.named_parameters())


def test_fgm_adds_the_gradient_at_the_attack_to_the_clean_one(
    make_model: Callable[[], PreTrainedModel], batch: dict[str, Tensor]
) -> None:
    model, by_hand = make_model(), make_model()
    for one in (model, by_hand):
        set_dropout(one, 0.0, 0.0)
    _attack(model, batch, _options(adversarial="fgm", adversarial_epsilon=0.5))

    words = by_hand.get_input_embeddings()(batch["input_ids"])
    inputs = {"attention_mask": batch["attention_mask"], "labels": batch["labels"]}
    clean = by_hand(inputs_embeds=words, **inputs).loss
    (gradient,) = torch.autograd.grad(clean, words, retain_graph=True)
    delta = 0.5 * gradient / gradient.flatten(1).norm(dim=1)[:, None, None]
    (clean + by_hand(inputs_embeds=words + delta, **inputs).loss).backward()
    for (name, one), other in zip(model.named_parameters(), by_hand.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, msg=name, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("method", ["lora", "prompt", "full"])
def test_a_run_trains_with_everything_at_once(
    method: str, tmp_path: Path, tiny_encoder: Path, tiny_data: Path
) -> None:
    train(
        TrainConfig(
            tiny_data,
            model=str(tiny_encoder),
            out=tmp_path / "run",
            method=method,
            virtual_tokens=4,
            epochs=1,
            max_tokens=20,
            threads=1,
            adversarial="pgd",
            adversarial_steps=2,
            r_drop=1.0,
            focal_gamma=2.0,
            label_smoothing=0.1,
            class_weights="balanced",
            encoder_dropout=0.2,
        )
    )
    assert Run.open(tmp_path / "run").metrics["validation"]["accuracy"] > 0
