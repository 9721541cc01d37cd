"""What the trainer is told between steps: when to evaluate, when to stop, what to show."""

import signal
import sys
from collections.abc import Sequence
from typing import Any, Protocol, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from .device import Arithmetic
from .processes import any_process
from .scores import title


class EvaluationSchedule(TrainerCallback):
    """Scores the validation split evenly within each epoch, always at its end, and saves then."""

    def __init__(self, steps_per_epoch: int, epochs: int, per_epoch: int) -> None:
        self.last = steps_per_epoch * epochs
        self.steps = frozenset(
            epoch * steps_per_epoch + round(steps_per_epoch * part / per_epoch)
            for epoch in range(epochs)
            for part in range(1, per_epoch + 1)
        )

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Ask for an evaluation and a checkpoint where one is due."""
        if state.global_step in self.steps:
            control.should_evaluate = control.should_save = True


class ByEpoch(Protocol):
    """What is another in each epoch."""

    def set_epoch(self, epoch: int) -> None:
        """Be that of an epoch, the first of which is 0."""


class EpochStart(TrainerCallback):
    """Tells the sampler, and whatever else follows the epochs, which one begins.

    transformers tells the sampler, too, but doesn't reach it where a run of several processes is resumed
    within an epoch: then it lies behind accelerate's shard of the batches and those that are skipped.
    """

    def __init__(self, followers: Sequence[ByEpoch], steps_per_epoch: int) -> None:
        self._followers = followers
        self._steps = steps_per_epoch

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Pass on the epoch, also of a run that goes on within it."""
        for follower in self._followers:
            follower.set_epoch(state.global_step // self._steps)


class Interrupt(TrainerCallback):
    """Ctrl-C ends training after the step under way, with a checkpoint; a second one at once.

    Of several processes that train together one may hear of it a step after another: they stop together.
    """

    def __init__(self) -> None:
        self.asked = False

    def __enter__(self) -> Self:
        self._before = signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _ask(self, *_: object) -> None:
        self.asked = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Save and stop, if that was asked."""
        self.asked = any_process(self.asked)
        if self.asked:
            control.should_save = control.should_training_stop = True


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("- steps/s" if speed is None else f"{speed:.2f} steps/s")


class ProgressBar(TrainerCallback):
    """A bar with rate and time left, and a line for each evaluation, on standard error."""

    def __init__(self, metrics: Sequence[str], numbers: Arithmetic, *, shown: bool = True) -> None:
        """``metrics`` are shown beside the loss, and the numbers they were computed in if not fp32."""
        self._metrics = metrics
        self._numbers = "" if numbers == "fp32" else f" (in {numbers})"
        self._console = Console(file=sys.stderr, highlight=False, quiet=not shown)
        self._bar = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]}"),
            _RateColumn(),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=self._console,
        )

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Set the bar to the step that a resumed run begins with."""
        self._task = self._bar.add_task("", total=state.max_steps, loss="-")
        self._bar.update(self._task, completed=state.global_step)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Move the bar."""
        self._bar.update(self._task, completed=state.global_step)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Show the newest loss, or what an evaluation found."""
        if logs and "loss" in logs:
            self._bar.update(self._task, loss=f"{logs['loss']:.3f}")
        if logs and "eval_loss" in logs:
            names = dict.fromkeys(("loss", *self._metrics))
            found = ", ".join(f"{title(name)} {logs[f'eval_{name}']:.4f}" for name in names)
            self._console.print(
                f"step {state.global_step} of {state.max_steps}: validation {found}{self._numbers}",
                soft_wrap=True,
            )
