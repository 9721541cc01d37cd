"""The options of strop train: refused by name, and quick to ask about."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from strop.cli import app
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
        ({"method": "lore"}, "--method is 'lore'; give one of lora, dora, adalora"),
        ({"virtual_tokens": 0}, "--virtual-tokens is 0; it must be at least 1"),
        ({"accumulation": 0}, "--accumulation is 0; it must be at least 1"),
        ({"label_smoothing": 1.0}, "--label-smoothing is 1.0; give a share from 0 to below 1"),
        ({"head_dropout": -0.1}, "--head-dropout is -0.1; give a share"),
        ({"focal_gamma": -1.0}, "--focal-gamma is -1.0; it must be at least 0"),
        ({"adversarial_epsilon": 0.0}, "--adversarial-epsilon is 0.0; it must be above 0"),
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


def test_the_command_line_reads_an_option_of_every_group() -> None:
    line = "train d --model m --out r --method ia3 --r-drop 0.5 --accumulation 2 --gradient-checkpointing"
    line += " --search --trials 3 --space.epochs 2 4"
    app.config = ()  # whatever was launched before
    _, bound, _ = app.parse_args(line.split(), exit_on_error=False)
    expected = _config(
        method="ia3",
        r_drop=0.5,
        accumulation=2,
        gradient_checkpointing=True,
        search=True,
        trials=3,
        space={"epochs": ["2", "4"]},
    )
    assert bound.arguments["config"] == replace(expected, data=Path("d"), model="m", out=Path("r"))


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
