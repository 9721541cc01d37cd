"""The search: options tried one training after the other, and the best of them finished to a run.

It chooses by the validation split, so that the test split, which says what the run is worth, has had no
part in it. The best trial is finished as it was trained, not trained anew: a trial that is not pruned
has had its whole schedule, and the same seed would lead to the same weights again.
"""

import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean

from rich.console import Console
from transformers import PretrainedConfig

from strop.errors import InputError, StropError
from strop.host import read_host

from ..adapter import ADAPTER_FOLDER
from ..config import TrainConfig
from ..cost import TrainingCost
from ..data.splits import Splits
from ..draft import Draft, resolved
from ..finish import Training, finish
from ..loop import InterruptError
from ..prepare import prepare
from ..processes import process_count
from ..report import Report
from ..run import TENSORBOARD_FOLDER
from ..weights import MODEL_FOLDER
from .report import SearchReport, told
from .settings import BEST_FILE, to_toml
from .space import given_values, search_space
from .study import Study, Trial
from .trial import TRAINED_FILE, run_trial

TRIALS_FOLDER = "trials"
HOPELESS = 5
"""Trials that may fail before one finishes."""
WEIGHTS = (ADAPTER_FOLDER, MODEL_FOLDER)


def search(config: TrainConfig, splits: Splits, console: Console) -> Report:
    """Try options until the time or the trials are used up, and finish the best trial as the run.

    Raises ``InputError`` when the given options don't fit together, before anything is written,
    ``InterruptError`` when the user stopped it, and ``StropError`` when no trial finishes.
    """
    started = time.monotonic()
    if process_count() > 1:
        raise InputError("--search trains in one process at a time; start it without torchrun")
    encoder = prepare(config, splits).encoder
    draft = Draft.begin(config, encoder.name, splits.sha256)
    folder = draft.root / TRIALS_FOLDER
    folder.mkdir(exist_ok=True)
    study = Study(
        folder,
        search_space(config),
        given_values(config, _own_dropout(encoder.config)),
        seed=config.seed,
        minimise=config.chosen_by in splits.task.lower_is_better,
    )
    try:
        _try_all(config, splits, study, folder)
    except KeyboardInterrupt:
        ended = len(study.trials)
        stop = f", or with --trials {ended} to end with the best so far" if ended else ""
        raise InterruptError(
            f"interrupted in trial {ended + 1}; what came before is kept: repeat the command to go on{stop}"
        ) from None
    best = study.best
    if best is None:
        raise StropError(f"no trial finished; the last one failed: {study.trials[-1].note}")
    report = SearchReport(config.chosen_by, study.trials, best, study.importances(), str(read_host()))
    console.print(report.table())
    report.write(folder, config.out.name)
    winner = replace(config, **best.options, model=None if config.from_ else encoder.name)
    (folder / BEST_FILE).write_text(to_toml(winner, report.headline), encoding="utf-8")
    console.print(f"{report.headline}; as options: {folder / BEST_FILE}")
    return _finish(draft, winner, splits, folder / str(best.number), report, started)


def _try_all(config: TrainConfig, splits: Splits, study: Study, folder: Path) -> None:
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    while is_time_for_more(config, study.trials) and (proposal := study.propose()):
        console.print(f"trial {proposal.number}: {told(proposal.options)}")
        out = folder / str(proposal.number)
        shutil.rmtree(out, ignore_errors=True)  # an interrupted trial's
        out.mkdir()
        begun = time.monotonic()
        trial = replace(_without_search(config), **proposal.options, resume=False, out=out)
        outcome = run_trial(trial, splits, proposal.falls_behind)
        proposal.end(outcome.state, outcome.score, time.monotonic() - begun, outcome.note)
        console.print(f"trial {proposal.number}: {study.trials[-1]}")
        _keep_best(study, folder)


def _without_search(config: TrainConfig) -> TrainConfig:
    return replace(config, search=False, minutes=None, trials=None, space={})


def _keep_best(study: Study, folder: Path) -> None:
    """Leave the weights of no other trial, and what TensorBoard shows of all."""
    best = study.best
    for trial in study.trials:
        if trial != best:
            _remove_weights(folder / str(trial.number))


def _remove_weights(trial: Path) -> None:
    for name in WEIGHTS:
        shutil.rmtree(trial / name, ignore_errors=True)
    (trial / TRAINED_FILE).unlink(missing_ok=True)


def _finish(
    draft: Draft, config: TrainConfig, splits: Splits, trial: Path, report: SearchReport, started: float
) -> Report:
    """Make what a trial left the run's own, and the rest of it; all of it can be done twice."""
    for name in (*WEIGHTS, TENSORBOARD_FOLDER):
        shutil.rmtree(draft.root / name, ignore_errors=True)
        if (trial / name).is_dir():
            shutil.copytree(trial / name, draft.root / name)
    kept = json.loads((trial / TRAINED_FILE).read_text(encoding="utf-8"))
    trained = Training(kept["history"], TrainingCost.read(kept["cost"]))
    ready = prepare(config, splits)
    draft = replace(draft, settings=resolved(config, ready.encoder.name))
    done = finish(draft, config, splits, ready, trained, started, {"search": report.cost})
    _remove_weights(trial)
    return done


def _own_dropout(encoder: PretrainedConfig) -> float | None:
    """What the encoder drops where the options don't say, by its family's name for it."""
    return getattr(encoder, "hidden_dropout_prob", getattr(encoder, "dropout", None))


def is_time_for_more(config: TrainConfig, trials: Sequence[Trial]) -> bool:
    """Whether another trial may begin, and would end in time if it took as long as others did.

    Raises ``StropError`` when the trials so far show that none will ever finish.
    """
    finished = [one.seconds for one in trials if one.state == "finished"]
    if not finished and len(trials) >= HOPELESS:
        raise StropError(f"none of {len(trials)} trials finished; the last one failed: {trials[-1].note}")
    if config.trials is not None and len(trials) >= config.trials:
        return False
    used = sum(one.seconds for one in trials)
    return not trials or used + (mean(finished) if finished else 0.0) <= config.seconds_to_search
