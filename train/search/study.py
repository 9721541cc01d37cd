"""What was tried and what is tried next: Optuna's study, in a journal that outlives the process."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import optuna
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.pruners import MedianPruner
from optuna.samplers import TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from .space import Choice, Space

JOURNAL_FILE = "study.journal"
QUARTERS = 4
"""A trial is held against the others as each quarter of its own schedule is done: by then their
learning rates are alike, however many epochs each is given."""
REPEATS = 20
"""Proposals in a row that were tried before, after which the space counts as exhausted."""
ENOUGH = 8
"""Finished trials below which importances are left out. By Optuna's default evaluator, PED-ANOVA, an
option without effect still came first at twelve; by fANOVA none did at eight."""
State = Literal["finished", "pruned", "failed"]
STATES: Mapping[State, TrialState] = {
    "finished": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}


@dataclass(frozen=True)
class Trial:
    """One training and what came of it."""

    number: int
    """From 1 on, in their order."""
    options: Mapping[str, Any]
    """Those that the search chose, by field name."""
    state: State
    score: float
    """The best on the validation split; of a pruned trial the best until then, of a failed one NaN."""
    seconds: float
    note: str = ""
    """Why it failed."""

    def __str__(self) -> str:
        scored = "" if self.state == "failed" else f", score {self.score:.4f}"
        return f"{self.state}{self.note and f': {self.note}'}{scored}, {self.seconds:,.0f} s"


class Study:
    """Proposes trials and remembers them; the same seed and scores give the same proposals.

    They come from tree-structured Parzen estimators (Bergstra et al., "Algorithms for Hyper-Parameter
    Optimization", 2011), with a seed of its own for each: a study that is opened again goes on as if it
    had never been closed. What has fallen behind the median of the others is pruned.
    """

    def __init__(
        self, folder: Path, space: Space, given: Mapping[str, Any], *, seed: int, minimise: bool
    ) -> None:
        """Open the study in ``folder``, or begin one there, with the ``given`` options first."""
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._space, self._given, self._seed, self._minimise = space, given, seed, minimise
        self._study = optuna.create_study(
            study_name="options",
            storage=JournalStorage(JournalFileBackend(str(folder / JOURNAL_FILE))),
            direction="minimize" if minimise else "maximize",
            pruner=MedianPruner(),
            load_if_exists=True,
        )
        for left in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING, TrialState.WAITING)):
            self._study.tell(left.number, state=TrialState.FAIL)  # the process that had it was ended

    @property
    def trials(self) -> list[Trial]:
        """Those that came to an end."""
        names = {state: name for name, state in STATES.items()}
        return [
            Trial(
                number,
                one.params,
                names[one.state],
                math.nan if one.value is None else one.value,
                **one.user_attrs,
            )
            for number, one in enumerate(self._ended(), 1)
        ]

    @property
    def best(self) -> Trial | None:
        """The first of the finished trials with the best score."""
        sign = -1 if self._minimise else 1
        finished = [one for one in self.trials if one.state == "finished"]
        return max(finished, key=lambda one: sign * one.score, default=None)

    def importances(self) -> dict[str, float]:
        """The share of the scores' variance that each option explains; none from few trials.

        By fANOVA (Hutter et al., "An Efficient Approach for Assessing Hyperparameter Importance", 2014).
        """
        scores = {one.score for one in self.trials if one.state == "finished"}
        if len(scores) < ENOUGH:
            return {}
        found = get_param_importances(self._study, evaluator=FanovaImportanceEvaluator(seed=self._seed))
        return {name: float(share) for name, share in found.items()}

    def propose(self) -> "Proposal | None":
        """What to try next; None when nothing is left that was not tried."""
        tried = [one.params for one in self._ended()]
        if not tried:
            self._study.enqueue_trial(dict(self._given))
        for attempt in range(REPEATS):
            (seed,) = np.random.SeedSequence((self._seed, len(tried), attempt)).generate_state(1).tolist()
            self._study.sampler = TPESampler(seed=seed)
            proposal = Proposal(len(tried) + 1, self._study.ask(), self._space)
            if proposal.options not in tried:
                return proposal
            proposal.forget()
        return None

    def _ended(self) -> list[FrozenTrial]:
        """Without those that were interrupted or forgotten: what failed has a note of it."""
        found = self._study.get_trials(deepcopy=False, states=tuple(STATES.values()))
        return [one for one in found if one.state != TrialState.FAIL or one.user_attrs.get("note")]


class Proposal:
    """A trial that has not ended yet."""

    def __init__(self, number: int, trial: optuna.Trial, space: Space) -> None:
        self.number = number
        self.options = {name: _suggested(trial, name, space) for name in space}
        self._trial = trial
        self._quarter = 0

    def falls_behind(self, done: float, score: float) -> bool:
        """Note the best score until now, a share ``done`` of the schedule; whether to prune the trial."""
        quarter = int(QUARTERS * done)
        if quarter > self._quarter:
            self._quarter = quarter
            self._trial.report(score, quarter)
        return 0 < quarter < QUARTERS and self._trial.should_prune()

    def end(self, state: State, score: float, seconds: float, note: str = "") -> None:
        """Write down what came of it."""
        self._trial.set_user_attr("seconds", round(seconds, 1))
        self._trial.set_user_attr("note", note)
        values = score if state == "finished" else None
        self._trial.study.tell(self._trial, values, state=STATES[state])

    def forget(self) -> None:
        """As if it had never been proposed."""
        self._trial.study.tell(self._trial, state=TrialState.FAIL)


def _suggested(trial: optuna.Trial, name: str, space: Space) -> Any:
    one = space[name]
    if isinstance(one, Choice):
        return trial.suggest_categorical(name, one.values)
    if isinstance(one.low, int) and isinstance(one.high, int):
        return trial.suggest_int(name, one.low, one.high, log=one.log)
    return trial.suggest_float(name, one.low, one.high, log=one.log)
