"""The options of strop train: refused by name, and quick to ask about."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from strop.errors import InputError
from strop.train.config import TrainConfig


def _config(**options: Any) -> TrainConfig:
    return TrainConfig(Path("data"), model="model", out=Path("run"), **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "--epochs is 0; it must be at least 1"),
        ({"batch_size": -1}, "--batch-size is -1; it must be at least 1"),
        ({"max_tokens": 2}, "--max-tokens is 2; it must be at least 3"),
        ({"weight_decay": float("nan")}, "--weight-decay is nan"),
        ({"learning_rate": 0.0}, "--learning-rate is 0.0; it must be above 0"),
        ({"lora_alpha": -2}, "--lora-alpha is -2; it must be above 0"),
        ({"lora_dropout": 1.0}, "--lora-dropout is 1.0; give a share from 0 to below 1"),
        ({"warmup_share": -0.1}, "--warmup-share is -0.1; give a share"),
        ({"text_column": "x", "label_column": "x"}, "are both 'x'; name two columns"),
    ],
)
def test_a_bad_option_is_refused_by_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        _config(**options)


def test_the_learning_rate_follows_the_method_unless_it_is_given() -> None:
    assert _config().peak_learning_rate == 1e-3
    assert _config(method="full").peak_learning_rate == 5e-5
    assert _config(method="full", learning_rate=0.1).peak_learning_rate == 0.1


def test_alpha_follows_the_rank_unless_it_is_given() -> None:
    assert _config(lora_rank=4).alpha == 8
    assert _config(lora_rank=4, lora_alpha=4).alpha == 4


def test_asking_for_help_loads_no_torch() -> None:
    script = (
        "import sys\n"
        "import strop.train.command, strop.train.data.command, strop.train.run\n"
        "print({'torch', 'transformers', 'sklearn', 'pyarrow'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout == "set()\n", done.stderr
