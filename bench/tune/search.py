"""The search: which setting is tried next and for how long, and which one wins; no servers here."""

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from strop.errors import InputError, StropError

from ..search import RESOLUTION, Phase
from .settings import DEFAULTS, Setting, queue_bound

SCREEN_SHARE = 0.35
"""The closed loops' part of the time: enough to drop the worst, the open loops decide."""
PROBE_SHARE = 0.02
FINALISTS = 3
ROUNDS = 3
PROBE_IN_FLIGHT = 64
MAX_IN_FLIGHT = 256


class Trials(Protocol):
    """Loads a server of its own with one setting; ``StropError`` when that fails."""

    def closed(self, setting: Setting, in_flight: int, seconds: float) -> Phase:
        """One closed loop."""

    def opened(self, setting: Setting, ceiling: float, seconds: float, seed: int) -> list[Phase]:
        """Open loops that look for the sustained rate, up to ``ceiling`` texts a second."""


@dataclass
class Candidate:
    """A setting and what is known of it; rates in texts per second."""

    setting: Setting
    closed: float = 0.0
    """The rate of its last, longest closed loop."""
    dropped: int | None = None
    """The screening round, from 1, after which it was not tried again."""
    rounds: list[Phase | None] = field(default_factory=list)
    """Of each round of open loops, the one of the highest rate within the SLO."""
    failure: str = ""
    """Why its server could not be measured, or why a round of open loops sustained nothing."""

    @property
    def rates(self) -> list[float]:
        """What it sustained in each round; 0 where no rate tried met the SLO."""
        return [phase.summary.rate if phase else 0.0 for phase in self.rounds]

    @property
    def sustained(self) -> float:
        """The median of ``rates``; 0 before the first round."""
        return float(np.median(self.rates)) if self.rounds else 0.0

    @property
    def spread(self) -> float:
        """The largest of ``rates`` less the smallest."""
        return max(self.rates) - min(self.rates)

    @property
    def typical(self) -> Phase | None:
        """The round nearest to the median."""
        met = [phase for phase in self.rounds if phase]
        return min(met, key=lambda phase: abs(phase.summary.rate - self.sustained), default=None)


@dataclass(frozen=True)
class Result:
    """The end of a search."""

    defaults: Candidate
    candidates: Sequence[Candidate]
    """All others, in the order of the grid."""
    best: Candidate | None
    """The finalist of the highest median; ``None`` if none could be measured."""

    @property
    def spread(self) -> float:
        """What a difference must exceed, in texts per second: see ``beats``."""
        return margin(self.best, self.defaults) if self.best else 0.0

    @property
    def winner(self) -> Candidate | None:
        """``best`` where it beats the defaults."""
        return self.best if self.best and beats(self.best, self.defaults) else None


def margin(one: Candidate, other: Candidate) -> float:
    """The larger spread of the two over their rounds, and at least the search's own resolution."""
    return max(one.spread, other.spread, RESOLUTION * max(one.sustained, other.sustained))


def beats(one: Candidate, other: Candidate) -> bool:
    """Whether the medians differ by more than ``margin``.

    Of settings that are equal under normal noise, the best of three finalists beats the defaults in
    7 of 100 searches (simulated).
    """
    return one.sustained - other.sustained > margin(one, other)


def rungs(count: int) -> list[int]:
    """How many are screened in each round of successive halving, until ``FINALISTS`` are left.

    Jamieson and Talwalkar, Non-stochastic Best Arm Identification, AISTATS 2016: each round gets
    the same time, so each one that is left gets twice as long.
    """
    sizes = [count]
    while (left := max(FINALISTS, math.ceil(sizes[-1] / 2))) > FINALISTS:
        sizes.append(left)
    return sizes


def trial_count(count: int) -> int:
    """Servers to start for a grid of ``count`` settings."""
    return 2 + sum(size + 1 for size in rungs(count)) + ROUNDS * (min(FINALISTS, count) + 1)


def search(
    trials: Trials, settings: Sequence[Setting], *, cores: int, slo: float, seconds: float
) -> Result:
    """Screen ``settings``, then let the best few and the defaults take turns; times in seconds.

    Raises ``InputError`` for an SLO that even a lone call misses, ``StropError`` when the defaults
    can't be measured or no setting sustains any rate.
    """
    probe = PROBE_SHARE * seconds
    check_lone_call(trials, cores, slo, probe)
    rate = trials.closed(DEFAULTS, PROBE_IN_FLIGHT, probe).summary.rate
    # As many as can be answered in time, by Little's law; with more, the settings that gain from
    # long queues would look better than they are within the SLO.
    in_flight = min(max(1, round(rate * slo)), MAX_IN_FLIGHT)
    defaults, candidates = Candidate(DEFAULTS), [Candidate(setting) for setting in settings]
    finalists = _screen(trials, defaults, candidates, in_flight, SCREEN_SHARE * seconds)
    for finalist in finalists:
        setting = finalist.setting
        bound = queue_bound(finalist.closed, slo, setting.workers)
        finalist.setting = replace(setting, queue_texts=bound)
    open_seconds = (1 - SCREEN_SHARE - 2 * PROBE_SHARE) * seconds
    _take_turns(trials, [defaults, *finalists], open_seconds)
    best = max(finalists, key=lambda one: one.sustained, default=None)
    if not any(one.sustained for one in (defaults, *finalists)):
        raise StropError(
            f"no setting sustained any rate within {slo * 1e3:g} ms: {defaults.failure};"
            " raise --slo-ms or --minutes"
        )
    return Result(defaults, candidates, best)


def check_lone_call(trials: Trials, cores: int, slo: float, seconds: float) -> None:
    """``InputError`` if a call that has the server for itself takes longer than the SLO.

    All cores on one call are its best case, tried where the defaults are too slow.
    """
    fastest = math.inf
    for setting in (DEFAULTS, Setting(instances=1, threads=cores)):
        summary = trials.closed(setting, 1, seconds).summary
        fastest = min(fastest, summary.percentiles["p50"] or summary.longest or math.inf)
        if fastest <= slo:
            return
    raise InputError(
        f"no setting meets --slo-ms {slo * 1e3:g}: a lone call takes {fastest * 1e3:.1f} ms; raise it"
    )


def _screen(
    trials: Trials, defaults: Candidate, candidates: Sequence[Candidate], in_flight: int, seconds: float
) -> list[Candidate]:
    """Halve ``candidates`` by their closed-loop rate; returns the finalists, the best first."""
    left = list(candidates)
    sizes = rungs(len(left))
    for number, following in enumerate([*sizes[1:], FINALISTS], 1):
        each = seconds / len(sizes) / (sizes[number - 1] + 1)
        for one in (defaults, *left):
            with _noting_failure(one):
                one.closed = trials.closed(one.setting, in_flight, each).summary.rate
        left = sorted((one for one in left if not one.failure), key=lambda one: -one.closed)
        for one in left[following:]:
            one.dropped = number
        left = left[:following]
    return left


def _take_turns(trials: Trials, entries: Sequence[Candidate], seconds: float) -> None:
    """Every entry once in each round, in an order that moves on, from one common ceiling.

    With a ceiling of its own, an entry whose closed loop was lucky would be offered more.
    """
    ceiling = max(one.closed for one in entries)
    each = seconds / ROUNDS / len(entries)
    for number in range(ROUNDS):
        turn = number % len(entries)
        for one in (*entries[turn:], *entries[:turn]):
            phases: list[Phase] = []
            with _noting_failure(one):
                phases = trials.opened(one.setting, ceiling, each, number)
            met = [phase for phase in phases if phase.failure is None]
            one.rounds.append(max(met, key=lambda phase: phase.summary.rate, default=None))
            if phases and not met:
                one.failure = f"{phases[-1].failure} at {phases[-1].offered:.0f}/s"


@contextlib.contextmanager
def _noting_failure(one: Candidate) -> Iterator[None]:
    """A setting that the machine can't bear is noted; when the defaults fail, so does the search."""
    try:
        yield
    except StropError as error:
        if one.setting == DEFAULTS:
            raise
        one.failure = str(error)
