"""Fused attention of MPNet: what it computes and what it is called stays the same."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from strop.tasks import TASKS
from strop.train.attention import FusedMPNetAttention
from strop.train.config import TrainConfig
from strop.train.encoder import Encoder
from strop.train.weights import trainable

LABELS = ("bad", "good")


@pytest.mark.parametrize("method", ["full", "lora"])
def test_mpnet_learns_the_same_by_fused_attention(
    tmp_path: Path, make_encoder: Callable[[Path, str], None], method: str
) -> None:
    make_encoder(tmp_path, "mpnet")
    config = TrainConfig(
        Path("data"),
        model=str(tmp_path),
        out=Path("run"),
        method=method,
        encoder_dropout=0.0,
        head_dropout=0.0,
    )
    torch.manual_seed(0)
    model = trainable(Encoder.open(config.model), TASKS[config.task], LABELS, config, 99).train()
    ids = torch.arange(4 * 9).reshape(4, 9) % 40 + 4
    mask = torch.ones_like(ids)
    mask[0, -3:] = 0

    def gradients() -> dict[str, torch.Tensor]:
        model(input_ids=ids, attention_mask=mask, labels=torch.tensor([0, 1, 0, 1])).loss.backward()
        found = {name: one.grad for name, one in model.named_parameters() if one.grad is not None}
        model.zero_grad()
        return found

    fused = gradients()
    layers = [one for one in model.modules() if isinstance(one, FusedMPNetAttention)]
    assert len(layers) == 2
    for layer in layers:
        layer.__class__ = FusedMPNetAttention.__base__
    own = gradients()
    assert fused.keys() == own.keys()
    for name, one in own.items():
        torch.testing.assert_close(fused[name], one, msg=name, rtol=1e-4, atol=1e-6)
