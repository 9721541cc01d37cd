"""A small encoder that learns to tell which of three words is in a text, on whatever device there is.

As a script, ``learning.py PRECISION SEEDS EPOCHS TEXTS`` prints how well it did with each seed, as JSON.
"""

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from transformers import AutoConfig, AutoModel, TrainerCallback, set_seed

from strop.tasks import Example
from strop.train.batches import EncodedSplit, Item
from strop.train.config import TrainConfig
from strop.train.encoder import Encoder
from strop.train.heads import HEADS
from strop.train.loop import fit
from strop.train.losses.objective import own_objective
from strop.train.weights import trainable

LABELS = ("a", "b", "c")
VOCABULARY = 200
FIRST_WORD = 10
"""The ids before it are the words that tell the label, and special ones."""
TEXTS = 768
"""To learn from; half as many are held out."""
# Some labels are wrong, so that nobody learns all of them and a difference would show.
NOISE = 0.1


def texts(seed: int, count: int) -> EncodedSplit:
    """Random words, and twice one of three that say which label it is."""
    random = np.random.default_rng(seed)
    items, examples = [], []
    for _ in range(count):
        label = int(random.integers(len(LABELS)))
        ids = random.integers(FIRST_WORD, VOCABULARY, random.integers(8, 25))
        ids[random.choice(len(ids), 2, replace=False)] = 3 + label
        told = int(random.integers(len(LABELS))) if random.random() < NOISE else label
        items.append(Item(input_ids=ids.tolist(), labels=told))
        examples.append(Example("", LABELS[told]))
    return EncodedSplit(examples, [1] * len(items), items, [()] * len(items))


def learn(
    folder: Path,
    precision: Any,
    seed: int,
    *,
    count: int = TEXTS,
    callbacks: Sequence[TrainerCallback] = (),
    **options: Any,
) -> float:
    """The best accuracy on the held-out texts; everything is written into an empty ``folder``."""
    sizes = {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 256}
    made = AutoConfig.for_model("bert", vocab_size=VOCABULARY, max_position_embeddings=32, **sizes)
    set_seed(seed)
    AutoModel.from_config(made).save_pretrained(folder / "model")
    config = TrainConfig(
        Path("made up"),
        model=str(folder / "model"),
        out=folder / "run",
        seed=seed,
        precision=precision,
        **{"method": "full", "learning_rate": 1e-3, "epochs": 5, "max_tokens": 32, **options},
    )
    task = config.columns.task
    encoder = Encoder.open(str(config.model))
    model = trainable(encoder, task, LABELS, config, 99)
    history = fit(
        model,
        texts(0, count),
        texts(1, count // 2),
        task=task,
        labels=LABELS,
        pad_token_id=encoder.pad_token_id,
        objective=own_objective(HEADS[task.head]),
        config=config,
        out=config.out,
        callbacks=callbacks,
    )
    return max(row["validation_accuracy"] for row in history if "validation_accuracy" in row)


def accuracies(precision: Any, seeds: int, epochs: int, count: int) -> list[float]:
    """Of so many trainings, whose seeds are different."""
    found = []
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as folder:
            found.append(learn(Path(folder), precision, seed, epochs=epochs, count=count))
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(accuracies(sys.argv[1], *map(int, sys.argv[2:]))) + "\n")
