"""Labelled data and an encoder to a finished run."""

import time
from collections.abc import Sequence

from transformers import TrainerCallback

from .config import TrainConfig
from .console import console
from .cost import TrainingCost
from .data.splits import Splits
from .device import arithmetic
from .draft import Draft
from .finish import Training, finish, keep_beginnings
from .loop import fit
from .out_of_memory import named_remedies
from .prepare import Prepared, prepare
from .processes import is_main
from .report import Report
from .speed import Speedometer
from .weights import save_weights


def fine_tune(config: TrainConfig, splits: Splits) -> Report | None:
    """Train, score what was saved, write the run directory and return its report.

    Of several processes that train together, only the main one writes; the others return None. Raises
    ``InputError`` when the model or ``--out`` can't be used, before anything is written,
    ``InterruptError`` when the user stopped it, and ``StropError`` when memory doesn't suffice.
    """
    started = time.monotonic()
    ready = prepare(config, splits)
    draft = Draft.begin(config, ready.encoder.name, splits.sha256) if is_main() else None
    if draft is not None:
        keep_beginnings(draft, config, splits, ready)
        for addition in ready.additions:
            console(stderr=True).print(str(addition))
        for warning in ready.warnings:
            console(stderr=True).print(f"warning: {warning}")
    trained = train_prepared(ready, splits, config)
    if draft is None:
        return None
    save_weights(ready.model, draft.root)
    return finish(draft, config, splits, ready, trained, started)


def train_prepared(
    ready: Prepared, splits: Splits, config: TrainConfig, callbacks: Sequence[TrainerCallback] = ()
) -> Training:
    """Train the model in place, as ``fit`` does with ``config.out``.

    Raises ``InterruptError`` when the user stopped it, and ``StropError`` when memory doesn't suffice.
    """
    speedometer = Speedometer(ready.model)
    started = time.monotonic()
    with named_remedies(config):
        history = fit(
            ready.model,
            ready.encoded["train"],
            ready.encoded["validation"],
            task=splits.task,
            labels=ready.labels,
            pad_token_id=ready.encoder.pad_token_id,
            objective=ready.objective,
            config=config,
            out=config.out,
            callbacks=(speedometer, *callbacks),
        )
    seconds = time.monotonic() - started
    speed = speedometer.speed(arithmetic(config.precision), config.thread_count)
    return Training(history, TrainingCost.of(ready.model, seconds, speed))
