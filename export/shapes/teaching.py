"""Recovery: a cut model learns from the whole one what it has lost.

Its loss is the teacher's answers (Kullback-Leibler at a temperature; Hinton et al., 2015), the
teacher's hidden states after the layers that were kept (mean squared error; Jiao et al., 2020), and
the labels where there are any.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss
from torch.utils.data import DataLoader
from transformers import PreTrainedModel, get_linear_schedule_with_warmup

from strop.tasks import Task
from strop.train.batches import Collator, LengthGroupedSampler, Row, lengths_of
from strop.train.device import arithmetic, best_device
from strop.train.heads import HEADS

from .distance import distance, own_rows

TEMPERATURE = 2.0
WARMUP_SHARE = 0.06
LARGEST_GRADIENT = 1.0


@dataclass(frozen=True)
class Lesson:
    """What a cut model is taught with, and for how long."""

    rows: Sequence[Row]
    """Of the training split, and texts without a target."""
    epochs: int
    task: Task
    learning_rate: float = 3e-4
    batch_size: int = 32
    seed: int = 0


def teach(
    student: PreTrainedModel,
    teacher: PreTrainedModel,
    kept: Sequence[int],
    lesson: Lesson,
    progress: Callable[[int, int], None],
) -> None:
    """Train ``student``, whose layers were the teacher's ``kept`` ones, in place; ends in eval mode.

    ``progress`` is told, after each step, how many are done and how many there are. Runs on the GPU
    where there is one and returns both models to the CPU.
    """
    device = best_device()
    torch.manual_seed(lesson.seed)
    sampler = LengthGroupedSampler(lengths_of(lesson.rows), lesson.batch_size, lesson.seed)
    loader: DataLoader[Any] = DataLoader(
        lesson.rows,  # type: ignore[arg-type]  # any sequence will do
        batch_size=lesson.batch_size,
        sampler=sampler,
        collate_fn=Collator(int(student.config.pad_token_id)),
    )
    steps = len(loader) * lesson.epochs
    weights = list(student.requires_grad_(True).parameters())
    optimiser = torch.optim.AdamW(weights, lr=lesson.learning_rate, weight_decay=0.01, fused=True)
    schedule = get_linear_schedule_with_warmup(  # type: ignore[no-untyped-call]
        optimiser, math.ceil(WARMUP_SHARE * steps), steps
    )
    _move(student, device).train()
    _move(teacher, device).eval()
    done = 0
    for epoch in range(lesson.epochs):
        sampler.set_epoch(epoch)
        for batch in loader:
            inputs = {name: value.to(device) for name, value in batch.items()}
            with torch.autocast(device.type, torch.bfloat16, enabled=arithmetic("auto") == "bf16"):
                loss = _loss(lesson.task, student, teacher, kept, inputs)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(weights, LARGEST_GRADIENT)
            optimiser.step()
            schedule.step()
            optimiser.zero_grad()
            done += 1
            progress(done, steps)
    _move(student, torch.device("cpu")).eval()
    _move(teacher, torch.device("cpu"))


def _move(model: nn.Module, device: torch.device) -> nn.Module:
    # transformers decorates its own `to` with a type that takes no device.
    return model.to(device)


def _loss(
    task: Task,
    student: PreTrainedModel,
    teacher: PreTrainedModel,
    kept: Sequence[int],
    batch: dict[str, Tensor],
) -> Tensor:
    labels = batch.pop("labels")
    with torch.no_grad():
        taught = teacher(**batch, output_hidden_states=True)
    learnt = student(**batch, output_hidden_states=True)
    real = batch["attention_mask"].bool()
    head, mask = HEADS[task.head], batch["attention_mask"]
    logits = head.logits(learnt, mask)
    ours, theirs = (own_rows(one, real) for one in (logits, head.logits(taught, mask)))
    # The first states are the embeddings'.
    states = torch.stack(
        [
            mse_loss(learnt.hidden_states[place + 1][real], taught.hidden_states[number + 1][real])
            for place, number in enumerate(kept)
        ]
    ).mean()
    return distance(task, ours, theirs, TEMPERATURE) + states + head.loss(logits, labels)
