"""The training loop: transformers' Trainer, its best checkpoint kept, an interrupt obeyed."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from transformers import EarlyStoppingCallback, EvalPrediction, PreTrainedModel
from transformers import TrainerCallback as Callback
from transformers.integrations.integration_utils import (
    TensorBoardCallback,
    is_mlflow_available,
    is_tensorboard_available,
    is_wandb_available,
)
from transformers.trainer_callback import PrinterCallback
from transformers.training_args import TrainingArguments

from strop.errors import StropError
from strop.tasks import Task

from .batches import Collator, EncodedSplit, LengthGroupedSampler, RenewedRows, Row, lengths_of, rows_of
from .callbacks import ByEpoch, EpochStart, EvaluationSchedule, Interrupt, ProgressBar
from .checkpointing import checkpointing_option
from .compiled import compile_layers
from .config import TrainConfig
from .device import arithmetic, fp32_products
from .heads import HEADS
from .losses.adversary import Adversary
from .losses.objective import Objective
from .predict import unpadded
from .processes import is_main, process_count
from .run import CHECKPOINTS_FOLDER, TENSORBOARD_FOLDER
from .trainer import StropTrainer

LOG_EVERY = 10
"""Steps to a row of the training loss; fewer where the whole of a training has few."""
TRACKERS: Mapping[str, Callable[[], bool]] = {"wandb": is_wandb_available, "mlflow": is_mlflow_available}
"""Experiment trackers that are told everything where they are installed."""


class InterruptError(StropError):
    """The user stopped the training; the message says how to go on."""

    exit_code = 130


def steps_per_epoch(examples: int, config: TrainConfig) -> int:
    """Optimiser steps that one pass over so many training examples takes."""
    batches = math.ceil(examples / config.batch_size)
    return math.ceil(math.ceil(batches / process_count()) / config.accumulation)


def fit(
    model: PreTrainedModel | PeftModel,
    train: EncodedSplit,
    validation: EncodedSplit,
    *,
    task: Task,
    labels: Sequence[str],
    pad_token_id: int,
    objective: Objective,
    config: TrainConfig,
    out: Path,
    callbacks: Sequence[Callback] = (),
) -> list[dict[str, Any]]:
    """Train ``model`` in place and leave it with the weights of its best checkpoint.

    Goes on from the last checkpoint in the run directory ``out`` if there is one, and writes there what
    TensorBoard shows; ``callbacks`` are called beside its own. Returns what was measured on the way, one
    row for each logged step or evaluation. Raises ``InterruptError`` after a Ctrl-C.
    """
    checkpoints = out / CHECKPOINTS_FOLDER
    last = last_checkpoint(checkpoints)
    # The order is free here, and sorted texts need no padding.
    validation = validation.longest_first()

    def score(prediction: EvalPrediction) -> dict[str, float]:
        outputs = HEADS[task.head].outputs(np.asarray(prediction.predictions, dtype=np.float32), task)
        return dict(validation.score(task, unpadded(outputs, validation.items), labels).metrics)

    rows, held_out = (rows_of(split.items, split.counts, task) for split in (train, validation))
    steps = steps_per_epoch(len(rows), config)
    schedule = EvaluationSchedule(steps, config.epochs, config.evaluations_per_epoch)
    sampler = LengthGroupedSampler(lengths_of(rows), config.batch_size, config.seed)
    followers: list[ByEpoch] = [sampler]
    learnt: Sequence[Row] | RenewedRows = rows
    if train.renew:
        learnt = RenewedRows(rows, train.renew, config.seed)
        followers.append(learnt)
    numbers = arithmetic(config.precision)
    interrupt, bar = Interrupt(), ProgressBar(task.metrics, numbers, shown=is_main())
    called = [
        *(schedule, EpochStart(followers, steps), EarlyStoppingCallback(config.patience), interrupt, bar),
        *callbacks,
    ]
    if is_main() and is_tensorboard_available():  # type: ignore[no-untyped-call]
        called.append(_tensorboard(out / TENSORBOARD_FOLDER, last))
    if isinstance(model, PeftModel) and config.chosen_method.callback:
        called.append(config.chosen_method.callback(model))
    if config.compile:
        compile_layers(model)
    adversary = None if config.adversarial == "none" else Adversary(model.get_input_embeddings(), config)
    trainer = StropTrainer(
        model=model,
        head=HEADS[task.head],
        objective=objective,
        adversary=adversary,
        together=task.together,
        args=_arguments(config, checkpoints, schedule.last),
        sampler=sampler,
        data_collator=Collator(pad_token_id),
        train_dataset=learnt,
        eval_dataset=held_out,
        compute_metrics=score,
        callbacks=called,
    )
    trainer.remove_callback(PrinterCallback)
    with interrupt, bar, fp32_products(numbers):
        trainer.train(resume_from_checkpoint=None if last is None else str(last))
    if interrupt.asked:
        raise InterruptError(
            f"interrupted at step {trainer.state.global_step} of {schedule.last}; the checkpoint is"
            " kept: repeat the command with --resume to go on"
        )
    return [row for entry in trainer.state.log_history if (row := _history_row(entry, task.metrics))]


def last_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint; the trainer's state is the last file it writes into one."""
    states = folder.glob("checkpoint-*/trainer_state.json")
    found = (state.parent for state in states)
    return max(found, key=_step, default=None)


def _tensorboard(folder: Path, last: Path | None) -> TensorBoardCallback:
    """Writes losses and scores for TensorBoard, over what was written after the last checkpoint."""
    # Not at the top: a model learns without it.
    from torch.utils.tensorboard import SummaryWriter

    begun = None if last is None else _step(last) + 1
    return TensorBoardCallback(SummaryWriter(str(folder), purge_step=begun))  # type: ignore[no-untyped-call]


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.partition("-")[2])


def _arguments(config: TrainConfig, checkpoints: Path, steps: int) -> TrainingArguments:
    on_gpu = torch.cuda.is_available()
    numbers = arithmetic(config.precision)
    return TrainingArguments(
        output_dir=str(checkpoints),
        num_train_epochs=config.epochs,
        per_device_train_batch_size=config.batch_size,
        per_device_eval_batch_size=HEADS[config.columns.task.head].evaluation_batch,
        learning_rate=config.peak_learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=int(config.warmup_share * steps),
        weight_decay=config.weight_decay,
        optim="adamw_torch_fused",
        seed=config.seed,
        use_cpu=not on_gpu,
        bf16=numbers == "bf16",
        fp16=numbers == "fp16",
        gradient_accumulation_steps=config.accumulation,
        # A batch is copied while the GPU computes the one before, which takes memory that stays in place.
        dataloader_pin_memory=on_gpu,
        accelerator_config={"non_blocking": on_gpu},
        # To look at each loss is to wait for it, and the GPU then waits for the next batch.
        logging_nan_inf_filter=not on_gpu,
        logging_steps=min(LOG_EVERY, math.ceil(steps / LOG_EVERY)),
        # Never reached: EvaluationSchedule says when, these say what goes with it.
        eval_strategy="steps",
        save_strategy="steps",
        eval_steps=steps + 1,
        save_steps=steps + 1,
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model=config.chosen_by,
        greater_is_better=config.chosen_by not in config.columns.task.lower_is_better,
        restore_callback_states_from_checkpoint=True,
        remove_unused_columns=False,
        ddp_find_unused_parameters=False,
        label_names=["labels"],
        disable_tqdm=True,
        run_name=config.out.name,
        report_to=[name for name, installed in TRACKERS.items() if installed()],
        **checkpointing_option(asked=config.gradient_checkpointing),
    )


def _history_row(entry: Mapping[str, Any], metrics: Sequence[str]) -> dict[str, Any] | None:
    """A row of history.jsonl from one of the trainer's log entries; None for its summary."""
    where = {"step": entry["step"], "epoch": entry["epoch"]}
    if "loss" in entry:
        return where | {name: entry[name] for name in ("loss", "learning_rate", "grad_norm")}
    if "eval_loss" in entry:
        return where | {f"validation_{name}": entry[f"eval_{name}"] for name in ("loss", *metrics)}
    return None
