"""The training loop: transformers' Trainer, its best checkpoint kept, an interrupt obeyed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from transformers import EarlyStoppingCallback, EvalPrediction, PreTrainedModel, Trainer
from transformers import TrainerCallback as Callback
from transformers.trainer_callback import PrinterCallback
from transformers.training_args import TrainingArguments

from strop.errors import StropError
from strop.tasks import Task

from .batches import Collator, EncodedSplit, LengthGroupedSampler
from .callbacks import EvaluationSchedule, Interrupt, ProgressBar
from .config import TrainConfig
from .device import in_bf16
from .scores import Scores

EVALUATION_BATCH = 64
LOG_EVERY = 10


class InterruptError(StropError):
    """The user stopped the training; the message says how to go on."""

    exit_code = 130


class _GroupingTrainer(Trainer):
    """Groups training texts by length; transformers' own sampler can't resume within an epoch."""

    def __init__(self, *, sampler: LengthGroupedSampler, **options: Any) -> None:
        super().__init__(**options)
        self._sampler = sampler

    def _get_train_sampler(self, train_dataset: object = None) -> LengthGroupedSampler:
        return self._sampler


def fit(
    model: PreTrainedModel | PeftModel,
    train: EncodedSplit,
    validation: EncodedSplit,
    *,
    task: Task,
    labels: Sequence[str],
    pad_token_id: int,
    config: TrainConfig,
    checkpoints: Path,
) -> list[dict[str, Any]]:
    """Train ``model`` in place and leave it with the weights of its best checkpoint.

    Goes on from the last checkpoint in ``checkpoints`` if there is one. Returns what was measured
    on the way, one row for each logged step or evaluation. Raises ``InterruptError`` after a Ctrl-C.
    """
    steps_per_epoch = -(-len(train.items) // config.batch_size)
    # The order is free here, and sorted texts need no padding.
    validation = validation.longest_first()

    def score(prediction: EvalPrediction) -> dict[str, float]:
        outputs = task.activate(np.asarray(prediction.predictions, dtype=np.float32))
        rows = [
            row[: len(item["input_ids"])] if task.per_token else row
            for row, item in zip(outputs, validation.items, strict=True)
        ]
        return dict(Scores.of(task, rows, validation.offsets, validation.examples, labels).metrics)

    schedule = EvaluationSchedule(steps_per_epoch, config.epochs, config.evaluations_per_epoch)
    interrupt, bar = Interrupt(), ProgressBar(task.metrics)
    callbacks: list[Callback] = [schedule, EarlyStoppingCallback(config.patience), interrupt, bar]
    trainer = _GroupingTrainer(
        model=model,
        args=_arguments(config, checkpoints, schedule.last),
        sampler=LengthGroupedSampler(
            [len(item["input_ids"]) for item in train.items], config.batch_size, config.seed
        ),
        data_collator=Collator(pad_token_id),
        train_dataset=train.items,
        eval_dataset=validation.items,
        compute_metrics=score,
        callbacks=callbacks,
    )
    trainer.remove_callback(PrinterCallback)
    last = last_checkpoint(checkpoints)
    with interrupt, bar:
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
    return max(found, key=lambda path: int(path.name.partition("-")[2]), default=None)


def _arguments(config: TrainConfig, checkpoints: Path, steps: int) -> TrainingArguments:
    on_gpu = torch.cuda.is_available()
    return TrainingArguments(
        output_dir=str(checkpoints),
        num_train_epochs=config.epochs,
        per_device_train_batch_size=config.batch_size,
        per_device_eval_batch_size=EVALUATION_BATCH,
        learning_rate=config.peak_learning_rate,
        lr_scheduler_type="linear",
        warmup_steps=int(config.warmup_share * steps),
        weight_decay=config.weight_decay,
        optim="adamw_torch_fused",
        seed=config.seed,
        use_cpu=not on_gpu,
        bf16=in_bf16(config.precision),
        dataloader_pin_memory=on_gpu,
        logging_steps=LOG_EVERY,
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
        label_names=["labels"],
        disable_tqdm=True,
        report_to="none",
    )


def _history_row(entry: Mapping[str, Any], metrics: Sequence[str]) -> dict[str, Any] | None:
    """A row of history.jsonl from one of the trainer's log entries; None for its summary."""
    where = {"step": entry["step"], "epoch": entry["epoch"]}
    if "loss" in entry:
        return where | {name: entry[name] for name in ("loss", "learning_rate", "grad_norm")}
    if "eval_loss" in entry:
        return where | {f"validation_{name}": entry[f"eval_{name}"] for name in ("loss", *metrics)}
    return None
