"""A run directory while it is written: refused when occupied, resumed when it is the same run."""

import fcntl
import json
import os
import shutil
import subprocess
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from strop.errors import InputError
from strop.options import all_as_typed
from strop.staging import replace_file

from .config import TrainConfig
from .run import CHECKPOINTS_FOLDER, CONFIG_FILE, HISTORY_FILE, METRICS_FILE, RUN_FILE, SCHEMA

# What may differ when a run is resumed: they don't change what is learnt.
FREE = ("check", "minutes", "out", "resume", "threads", "trials")
DATA = "data_sha256"
"""What stands beside the options of an unfinished run."""


def is_begun(out: Path) -> bool:
    """Whether a folder holds a run, or a search for one, that was begun and not finished."""
    return (out / CONFIG_FILE).is_file()


def refuse_occupied(config: TrainConfig) -> None:
    """Raise ``InputError`` unless ``--out`` is free, or with ``--resume`` holds an unfinished run.

    What another process writes is not free, whatever it holds already.
    """
    if config.out.is_dir():
        Lock(config.out)
    _refuse_contents(config)


def _refuse_contents(config: TrainConfig) -> None:
    out = config.out
    if (out / RUN_FILE).exists():
        raise InputError(f"--out {out} holds a finished run; name another folder or remove it")
    unfinished = is_begun(out)
    if config.resume and not unfinished:
        raise InputError(f"--out {out} holds no unfinished run; leave out --resume")
    if unfinished and not config.resume:
        raise InputError(
            f"--out {out} holds an unfinished run; add --resume to go on, or name another folder"
        )
    if not unfinished and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"--out {out} is not an empty folder; name another")


class Lock:
    """Makes a folder this process's as long as the object lives."""

    def __init__(self, folder: Path) -> None:
        """Raises ``InputError`` when it is another's."""
        handle = os.open(folder, os.O_RDONLY)
        weakref.finalize(self, os.close, handle)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(
                f"--out {folder} is being written by another strop train; wait for its end, or name"
                " another folder"
            ) from error


@dataclass(frozen=True)
class Draft:
    """An unfinished run directory."""

    root: Path
    settings: Mapping[str, Any]
    """The options, with paths made absolute and defaults resolved."""
    lock: Lock
    """That nobody else writes there meanwhile."""

    @classmethod
    def begin(cls, config: TrainConfig, base_model: str, data_sha256: str) -> Self:
        """Make the directory, or take up the one that ``--resume`` names.

        Raises ``InputError`` when that one was begun with other options or other data, or when another
        process writes there.
        """
        refuse_occupied(config)
        config.out.mkdir(parents=True, exist_ok=True)
        lock = Lock(config.out)
        _refuse_contents(config)  # of whoever was quicker, and has ended meanwhile
        settings = resolved(config, base_model)
        begun = {name: value for name, value in settings.items() if name not in FREE}
        begun[DATA] = data_sha256
        path = config.out / CONFIG_FILE
        if config.resume:
            _refuse_other(config.out, json.loads(path.read_text(encoding="utf-8")), begun)
        else:
            write_json(path, begun)
        return cls(config.out, settings, lock)

    @property
    def checkpoints(self) -> Path:
        """Where the trainer keeps its checkpoints until the run is finished."""
        return self.root / CHECKPOINTS_FOLDER

    def finish(
        self,
        metrics: Mapping[str, Any],
        history: Sequence[Mapping[str, Any]],
        record: Mapping[str, Any],
    ) -> None:
        """Write the measurements and, last, the record that makes the run complete."""
        write_json(self.root / METRICS_FILE, metrics)
        rows = "".join(f"{json.dumps(row)}\n" for row in history)
        (self.root / HISTORY_FILE).write_text(rows, encoding="utf-8")
        write_json(
            self.root / RUN_FILE,
            {"schema": SCHEMA, "config": self.settings, "git_commit": _git_commit(), **record},
        )
        shutil.rmtree(self.checkpoints, ignore_errors=True)  # a search keeps its trials' elsewhere
        (self.root / CONFIG_FILE).unlink()


def resolved(config: TrainConfig, base_model: str) -> dict[str, Any]:
    """The options by field name, with paths made absolute and defaults resolved."""
    paths = {
        name: str(value.resolve()) for name, value in asdict(config).items() if isinstance(value, Path)
    }
    return {
        **asdict(config),
        **paths,
        "model": base_model,
        "lora_alpha": config.alpha,
        "learning_rate": config.peak_learning_rate,
        "threads": config.thread_count,
        "metric": config.chosen_by,
        "pooling": config.columns.task.pooling,
        "space": {name.replace("-", "_"): list(values) for name, values in config.space.items()},
    }


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a file that is whole or not there."""
    replace_file(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def _refuse_other(out: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    if before[DATA] != now[DATA]:
        raise InputError(f"the data changed since the run in {out} began; begin a new run")
    given, begun = all_as_typed(now), all_as_typed({name: before.get(name) for name in now})
    for option in {**given, **begun}:
        value, first = given.get(option), begun.get(option)
        if value != first:
            how = "without it" if first is None else f"with {option} {first}"
            raise InputError(
                f"{option} is {value or 'not given'}, but the run in {out} began {how}; resume it as it"
                " began, or begin a new run"
            )


def _git_commit() -> str | None:
    """The commit of the working directory's repository, marked when files differ from it."""
    if shutil.which("git") is None:
        return None
    command = ("git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None
