"""Compiled layers: what they compute and what they are called stays the same."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from strop.errors import InputError
from strop.tasks import TASKS
from strop.train.compiled import compile_layers, require_compiler
from strop.train.config import TrainConfig
from strop.train.encoder import Encoder
from strop.train.weights import trainable

LABELS = ("bad", "good")


@pytest.mark.filterwarnings("default")  # torch's own, while it traces
@pytest.mark.parametrize(("family", "method"), [("bert", "lora"), ("bert", "prefix")])
def test_compiled_layers_give_the_same_gradients_under_the_same_names(
    tmp_path: Path, make_encoder: Callable[[Path, str], None], family: str, method: str
) -> None:
    make_encoder(tmp_path, family)
    options: dict[str, Any] = {
        "encoder_dropout": 0.0,
        "head_dropout": 0.0,
        "virtual_tokens": 3,
        "max_tokens": 16,
    }
    config = TrainConfig(Path("data"), model=str(tmp_path), out=Path("run"), method=method, **options)
    torch.manual_seed(0)
    model = trainable(Encoder.open(config.model), TASKS[config.task], LABELS, config, 99).train()

    def gradients() -> dict[str, torch.Tensor]:
        for length in (5, 9, 7):
            ids = torch.arange(4 * length).reshape(4, length) % 40 + 4
            mask = torch.ones_like(ids)
            mask[0, -2:] = 0
            model(input_ids=ids, attention_mask=mask, labels=torch.tensor([0, 1, 0, 1])).loss.backward()
        found = {name: one.grad for name, one in model.named_parameters() if one.grad is not None}
        model.zero_grad()
        return found

    before = gradients()
    # What differs from the default backend is only the code that is generated, which takes minutes.
    compile_layers(model, backend="aot_eager")
    after = gradients()
    assert before.keys() == after.keys()
    for name, one in before.items():
        torch.testing.assert_close(after[name], one, msg=name)


def test_a_missing_compiler_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)  # which torch sets once it has compiled something
    with pytest.raises(InputError, match=r"--compile needs a C\+\+ compiler, and g\+\+ is not here"):
        require_compiler()
