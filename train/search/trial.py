"""One trial: a training in a process of its own, which may die of it and take nothing along."""

import math
import multiprocessing
import shutil
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.forkserver import ensure_running
from types import MappingProxyType
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from strop.errors import StropError

from ..config import TrainConfig
from ..data.splits import Splits
from ..draft import write_json
from ..fine_tune import train_prepared
from ..prepare import prepare
from ..run import CHECKPOINTS_FOLDER
from ..weights import save_weights
from .study import State

TRAINED_FILE = "trained.json"
Judge = Callable[[float, float], bool]
"""Whether a trial is to be pruned that has, after this share of its schedule, this best score."""


@dataclass(frozen=True)
class Outcome:
    """How a trial ended."""

    state: State
    score: float = math.nan
    note: str = ""


def run_trial(config: TrainConfig, splits: Splits, falls_behind: Judge) -> Outcome:
    """Train as ``config`` says, in a process of its own; what was trained is left in ``config.out``.

    The process is ended with this one, and what it dies of, be it the kernel's want of memory, is the
    trial's failure. It is forked from a server that has loaded torch and computed nothing, so that it
    starts at once, and neither threads nor a GPU's context are inherited.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    ours, theirs = context.Pipe()
    process = context.Process(target=_train, args=(config, splits, theirs), daemon=True)
    try:
        with _interrupts_held():
            process.start()
        theirs.close()
        while not isinstance(heard := ours.recv(), Outcome):
            ours.send(falls_behind(*heard))
    except (EOFError, ConnectionError):
        process.join()
        return Outcome("failed", note=_death(process.exitcode))
    except BaseException:
        process.kill()
        raise
    finally:
        process.join()
    return heard


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Let Ctrl-C wait until a process is started: half told what to do, it would complain."""
    asked = []
    before = signal.signal(signal.SIGINT, lambda *_: asked.append(True))
    try:
        resource_tracker.ensure_running()  # here, because it would let through what is blocked below
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            ensure_running()  # the server, which is not to obey Ctrl-C either: it inherits the block
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if asked:
        raise KeyboardInterrupt


def _death(code: int | None) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        return f"killed by {name}" + (", so memory may not suffice" if name == "SIGKILL" else "")
    return f"ended with exit code {code}"


def _train(config: TrainConfig, splits: Splits, connection: Connection) -> None:
    """What the process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who waits for this process obeys it
    watcher = _Watcher(config, connection)
    try:
        ready = prepare(config, splits)
        trained = train_prepared(ready, splits, config, callbacks=[watcher])
    except StropError as error:
        outcome = Outcome("failed", note=str(error))
    else:
        outcome = watcher.outcome
    if outcome.state == "finished":
        save_weights(ready.model, config.out)
        write_json(config.out / TRAINED_FILE, asdict(trained))
    shutil.rmtree(config.out / CHECKPOINTS_FOLDER, ignore_errors=True)
    connection.send(outcome)


class _Watcher(TrainerCallback):
    """Tells each evaluation's score to who started the process, and stops where that is asked."""

    def __init__(self, config: TrainConfig, connection: Connection) -> None:
        self._metric = f"eval_{config.chosen_by}"
        self._better = min if config.chosen_by in config.columns.task.lower_is_better else max
        self._best: float | None = None
        self._connection = connection
        self.outcome = Outcome("failed", note="nothing was evaluated")

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: Mapping[str, float] = MappingProxyType({}),
        **_: Any,
    ) -> None:
        """Go on, or end a training that diverged or fell behind."""
        score = metrics[self._metric]
        if not (math.isfinite(metrics["eval_loss"]) and math.isfinite(score)):
            note = f"diverged: at step {state.global_step} the validation loss is {metrics['eval_loss']}"
            self.outcome = Outcome("failed", note=note)
            control.should_training_stop = True
            return
        self._best = score if self._best is None else self._better(self._best, score)
        self._connection.send((state.global_step / state.max_steps, self._best))
        falls_behind = self._connection.recv()
        self.outcome = Outcome("pruned" if falls_behind else "finished", self._best)
        if falls_behind:
            control.should_training_stop = True
