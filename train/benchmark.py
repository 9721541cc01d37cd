"""A training on random tokens, to learn its speed: what ``strop bench-train`` runs, a process each.

Run as ``python -m strop.train.benchmark JSON``, the fields of ``Load``; it prints what it measured as JSON.
"""

import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from transformers import AutoConfig, AutoModel, set_seed

from strop.errors import StropError
from strop.host import share_cores
from strop.tasks import Example

from .batches import EncodedSplit, Item
from .compiled import require_compiler
from .config import TrainConfig
from .device import arithmetic
from .encoder import Encoder
from .heads import HEADS
from .loop import fit
from .losses.objective import own_objective
from .out_of_memory import named_remedies
from .running import Precision
from .speed import WARM_UP_STEPS, Speedometer, TrainingSpeed
from .weights import trainable

SHAPES: Mapping[str, tuple[str, Mapping[str, int]]] = MappingProxyType(
    {
        "mpnet-base": ("mpnet", {}),  # the library's own sizes
        "minilm-l6": (
            "bert",
            {
                "hidden_size": 384,
                "num_hidden_layers": 6,
                "num_attention_heads": 12,
                "intermediate_size": 1536,
            },
        ),
    }
)
"""Encoders by name whose weights are made up: a multiplication takes as long with any number."""
LABELS = ("a", "b")


@dataclass(frozen=True, kw_only=True)
class Load:
    """What is trained how, for a speed to be told."""

    model: str = "minilm-l6"
    """One of ``SHAPES``, a model folder or a hub id."""
    method: str = "full"
    precision: Precision = "auto"
    tokens: int = 128
    """Of the longest text."""
    shortest: int = 0
    """Tokens of the shortest, all lengths from there on being as frequent; 0 for texts all alike."""
    batch_size: int = 32
    steps: int = 30
    """Of the optimiser, after those that warm up."""
    compile: bool = False
    threads: int = 0


def measure(load: Load) -> TrainingSpeed:
    """Train as ``strop train`` does; the weights are thrown away.

    Raises ``InputError`` when the model or the machine isn't as ``load`` wants it, and ``StropError`` when
    memory doesn't suffice.
    """
    with tempfile.TemporaryDirectory(prefix="strop-") as name:
        return _measure(load, Path(name))


def _measure(load: Load, folder: Path) -> TrainingSpeed:
    config = TrainConfig(
        Path("random"),
        model=_model(load.model, folder),
        out=folder / "run",
        method=load.method,
        precision=load.precision,
        batch_size=load.batch_size,
        max_tokens=load.tokens,
        compile=load.compile,
        threads=load.threads,
        epochs=1,
    )
    numbers = arithmetic(config.precision)
    if config.compile:
        require_compiler()
    torch.set_num_threads(config.thread_count)
    task = config.columns.task
    encoder = Encoder.open(str(config.model))
    encoder.require_tokens(config.max_tokens, config.extra_tokens)
    set_seed(0)
    steps = load.steps + WARM_UP_STEPS
    model = trainable(encoder, task, LABELS, config, steps)
    speedometer = Speedometer(model)
    with named_remedies(config):
        fit(
            model,
            _texts(steps * load.batch_size, load, encoder),
            _texts(load.batch_size, load, encoder),
            task=task,
            labels=LABELS,
            pad_token_id=encoder.pad_token_id,
            objective=own_objective(HEADS[task.head]),
            config=config,
            out=config.out,
            callbacks=(speedometer,),
        )
    speed = speedometer.speed(numbers, config.thread_count)
    assert speed is not None  # noqa: S101 - there are steps after the first ones
    return speed


def _model(name: str, folder: Path) -> str:
    """A folder with made-up weights for a name of ``SHAPES``; another name as it is."""
    if name not in SHAPES:
        return name
    family, sizes = SHAPES[name]
    made = folder / "model"
    model = AutoModel.from_config(AutoConfig.for_model(family, **sizes))  # type: ignore[no-untyped-call]
    model.save_pretrained(made)
    return str(made)


def _texts(count: int, load: Load, encoder: Encoder) -> EncodedSplit:
    """So many texts of random tokens, each of either label."""
    random = np.random.default_rng(0)
    lengths = random.integers(load.shortest or load.tokens, load.tokens, count, endpoint=True)
    classes = random.integers(len(LABELS), size=count).tolist()
    # The padding token is left out: RoBERTa's family takes what it finds of it for padding.
    first = encoder.pad_token_id + 1
    items = [
        Item(input_ids=random.integers(first, encoder.config.vocab_size, length).tolist(), labels=label)
        for length, label in zip(lengths, classes, strict=True)
    ]
    examples = [Example("", LABELS[label]) for label in classes]
    return EncodedSplit(examples, [1] * count, items, [()] * count)


def main(fields: str) -> None:
    """Measure the ``Load`` of these fields, as JSON, and print the ``TrainingSpeed`` and the device."""
    speed = measure(Load(**json.loads(fields)))
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    print(json.dumps(asdict(speed) | {"device": device}))


if __name__ == "__main__":
    share_cores()
    try:
        main(*sys.argv[1:])
    except StropError as error:
        sys.exit(str(error))
