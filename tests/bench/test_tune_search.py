"""The search for a setting, with settings whose rates are known."""

import io
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from strop.bench.grid import show_grid
from strop.bench.search import Phase
from strop.bench.statistics import Summary
from strop.bench.tune.search import FINALISTS, ROUNDS, Candidate, beats, rungs, search, trial_count
from strop.bench.tune.settings import DEFAULTS, Setting, grid, queue_bound
from strop.bench.tune.table import headline, table
from strop.errors import InputError, StropError

SLO = 0.1
LONE_SECONDS = 0.006
GRID = grid(2, (64, 128, 192, 256))


def phase(rate: float, p50: float = LONE_SECONDS, failure: str | None = None) -> Phase:
    percentiles = {"p50": p50, "p90": p50, "p99": p50, "p99.9": p50}
    summary = Summary(100, 100, {}, 1.0, rate, rate, percentiles, {}, p50, 0.0, 0.1, "")
    return Phase("open", None, rate, summary, None, failure)


def key(setting: Setting) -> tuple[int | None, ...]:
    return (setting.instances, setting.threads, setting.batch_tokens)


class FakeTrials:
    """Every setting sustains a known rate, times what a round adds to it or takes away."""

    def __init__(
        self,
        rate: Callable[[Setting], float],
        rounds: tuple[float, ...] = (1.0,) * ROUNDS,
        p50: float = 0.006,
    ) -> None:
        self.calls: list[tuple[str, Setting, float]] = []
        self._rate = rate
        self._rounds = rounds
        self._p50 = p50

    def closed(self, setting: Setting, in_flight: int, seconds: float) -> Phase:
        self.calls.append((f"closed {in_flight}", setting, seconds))
        return phase(self._rate(setting), self._p50)

    def opened(self, setting: Setting, ceiling: float, seconds: float, seed: int) -> list[Phase]:
        self.calls.append((f"open {seed}", setting, seconds))
        rate = self._rate(setting) * (self._rounds[seed] if setting != DEFAULTS else 1.0)
        return (
            [phase(ceiling, failure="p99 too long"), phase(rate)] if rate else [phase(ceiling, failure="x")]
        )


def run(trials: FakeTrials, settings: list[Setting] = GRID, seconds: float = 300.0) -> object:
    return search(trials, settings, cores=2, slo=SLO, seconds=seconds)


def best_is(instances: int, threads: int, batch_tokens: int, gain: float) -> Callable[[Setting], float]:
    return lambda setting: 300 * (gain if key(setting) == (instances, threads, batch_tokens) else 1.0)


def test_the_fastest_setting_wins_with_a_queue_of_four_slos() -> None:
    result = search(FakeTrials(best_is(3, 1, 192, 1.2)), GRID, cores=2, slo=SLO, seconds=300)
    assert result.winner
    assert result.winner.setting == Setting(3, 1, 192, queue_texts=144)
    assert result.winner.sustained == pytest.approx(360)
    assert headline(result).startswith("Tuned: --instances 3 --threads 1")
    assert "+20.0% on the defaults' 300.0" in headline(result)


def test_a_gain_within_the_spread_of_the_rounds_leaves_the_defaults() -> None:
    trials = FakeTrials(best_is(3, 1, 192, 1.1), rounds=(0.9, 1.0, 1.05))
    result = search(trials, GRID, cores=2, slo=SLO, seconds=300)
    assert result.best
    assert result.best.sustained == pytest.approx(330)
    assert result.winner is None
    assert headline(result).startswith("Not tuned: the defaults sustain 300.0 texts/s")
    assert "+10.0%?" in {row[-1] for row in table(result).rows}


def test_a_gain_below_the_search_s_resolution_leaves_the_defaults() -> None:
    result = search(FakeTrials(best_is(3, 1, 192, 1.015)), GRID, cores=2, slo=SLO, seconds=300)
    assert result.winner is None


RATES = st.lists(st.floats(0, 1000), min_size=ROUNDS, max_size=ROUNDS)


@given(RATES, RATES)
def test_a_winner_s_median_is_better_by_more_than_either_spread(
    ours: list[float], theirs: list[float]
) -> None:
    one, other = (
        Candidate(Setting(), rounds=[phase(rate) if rate else None for rate in rates])
        for rates in (ours, theirs)
    )
    if beats(one, other):
        gain = sorted(ours)[1] - sorted(theirs)[1]
        assert gain > max(max(rates) - min(rates) for rates in (ours, theirs))
        assert not beats(other, one)


def test_the_defaults_and_the_finalists_take_turns_and_none_is_always_first() -> None:
    trials = FakeTrials(lambda setting: 300.0)
    run(trials)
    opened = [(name, setting) for name, setting, _ in trials.calls if name.startswith("open")]
    turns = [[setting for name, setting in opened if name == f"open {number}"] for number in range(ROUNDS)]
    assert all(DEFAULTS in turn and len(set(turn)) == FINALISTS + 1 for turn in turns)
    assert all(one[0] != other[0] for one, other in pairwise(turns))


def test_every_round_of_screening_drops_the_slower_half() -> None:
    trials = FakeTrials(lambda setting: 300.0 + GRID.index(setting) if setting in GRID else 300.0)
    result = search(trials, GRID, cores=2, slo=SLO, seconds=300)
    dropped = [one.dropped for one in result.candidates]
    assert dropped == [1] * 12 + [2] * 6 + [3] * 3 + [None] * 3
    # As many in flight as are answered within the SLO.
    assert {name for name, setting, _ in trials.calls if setting in GRID} == {"closed 30"}


@given(st.integers(1, 60), st.floats(1, 1000))
def test_the_search_starts_as_many_servers_as_it_says_and_keeps_to_its_time(
    count: int, seconds: float
) -> None:
    trials = FakeTrials(lambda setting: 300.0)
    run(trials, [Setting(n + 1, 1, 128) for n in range(count)], seconds)
    assert len(trials.calls) == trial_count(count)
    assert sum(spent for *_, spent in trials.calls) <= seconds * 1.001


@pytest.mark.parametrize(
    ("count", "sizes"), [(1, [1]), (3, [3]), (4, [4]), (20, [20, 10, 5]), (105, [105, 53, 27, 14, 7, 4])]
)
def test_rungs_halve_down_to_the_finalists(count: int, sizes: list[int]) -> None:
    assert rungs(count) == sizes


def test_an_slo_below_a_lone_call_is_said_after_trying_all_cores_on_it() -> None:
    trials = FakeTrials(lambda setting: 300.0)
    with pytest.raises(InputError, match=r"no setting meets --slo-ms 2: a lone call takes 6\.0 ms"):
        search(trials, GRID, cores=2, slo=0.002, seconds=300)
    assert [(name, setting) for name, setting, _ in trials.calls] == [
        ("closed 1", DEFAULTS),
        ("closed 1", Setting(instances=1, threads=2)),
    ]


class BrokenTrials(FakeTrials):
    """Servers with 192 tokens, or the defaults' one, don't come up."""

    def __init__(self, broken: Callable[[Setting], bool]) -> None:
        super().__init__(lambda setting: 300.0)
        self._broken = broken

    def closed(self, setting: Setting, in_flight: int, seconds: float) -> Phase:
        if self._broken(setting):
            raise StropError("out of memory")
        return super().closed(setting, in_flight, seconds)


def test_a_setting_that_the_machine_can_t_bear_is_out_and_says_why() -> None:
    trials = BrokenTrials(lambda setting: setting.batch_tokens == 192)
    result = search(trials, GRID, cores=2, slo=SLO, seconds=300)
    assert {one.failure for one in result.candidates if one.setting.batch_tokens == 192} == {
        "out of memory"
    }
    assert "out of memory" in {row[-1] for row in table(result).rows}


def test_defaults_that_fail_end_the_search() -> None:
    with pytest.raises(StropError, match="out of memory"):
        run(BrokenTrials(lambda setting: setting == DEFAULTS))


def test_when_nothing_else_runs_the_defaults_stay() -> None:
    result = search(BrokenTrials(lambda one: one != DEFAULTS), GRID, cores=2, slo=SLO, seconds=300)
    assert result.winner is None
    assert "nothing else ran" in headline(result)


def test_no_rate_within_the_slo_is_an_error_with_its_reason() -> None:
    class Overloaded(FakeTrials):
        def opened(self, setting: Setting, ceiling: float, seconds: float, seed: int) -> list[Phase]:
            return [phase(40, failure="p99 120.0 ms")]

    with pytest.raises(
        StropError, match=r"no setting sustained any rate within 100 ms: p99 120\.0 ms at 40/s"
    ):
        run(Overloaded(lambda setting: 300.0))


def test_the_table_has_every_setting_the_defaults_first_and_says_who_wins() -> None:
    result = search(FakeTrials(best_is(3, 1, 192, 1.2)), GRID, cores=2, slo=SLO, seconds=300)
    rows = table(result).rows
    assert len(rows) == len(GRID) + 1
    assert rows[0][:3] == ("–",) * 3
    assert rows[1][:3] == ("3×1", "192", "144")
    assert rows[1][-1].startswith("wins, +20.0%")


def test_the_table_stands_in_80_columns_without_a_fold() -> None:
    result = search(FakeTrials(best_is(3, 1, 192, 1.2)), GRID, cores=2, slo=SLO, seconds=300)
    shown = io.StringIO()
    show_grid(table(result), Console(width=80, file=shown))
    lines = shown.getvalue().splitlines()
    assert sum(line.startswith(" –") or "×" in line[:6] for line in lines) == len(GRID) + 1
    assert not any("…" in line for line in lines)


@pytest.mark.parametrize(
    ("cores", "shapes"),
    [
        (1, ["1 x 1", "2 x 1"]),
        (2, ["1 x 1", "2 x 1", "3 x 1", "1 x 1 in 2", "1 x 2", "2 x 2"]),
        (
            4,
            [
                *("2 x 1", "4 x 1", "6 x 1", "2 x 1 in 2", "1 x 1 in 4"),
                *("1 x 2", "2 x 2", "3 x 2", "1 x 2 in 2", "1 x 4", "2 x 4"),
            ],
        ),
    ],
)
def test_the_grid_uses_half_all_and_half_as_many_again_of_the_cores(cores: int, shapes: list[str]) -> None:
    found = grid(cores, (128, 64, 64))
    assert [
        f"{one.instances} x {one.threads}" + (f" in {one.workers}" if one.workers else "")
        for one in found
        if one.batch_tokens == 64
    ] == shapes
    assert len(found) == len(set(found)) == 2 * len(shapes)


@pytest.mark.parametrize(("rate", "slo", "texts"), [(300, 0.1, 120), (300.1, 0.1, 121), (1, 0.001, 2)])
def test_the_queue_holds_what_is_answered_within_four_slos(rate: float, slo: float, texts: int) -> None:
    assert queue_bound(rate, slo) == texts
    assert queue_bound(rate, slo, workers=2) == max(2, (texts + 1) // 2)


def test_a_setting_is_the_same_in_toml_and_on_the_command_line() -> None:
    setting = Setting(instances=2, batch_tokens=96)
    assert setting.options() == {"instances": 2, "batch_tokens": 96}
    assert setting.words() == ["--instances", "2", "--batch-tokens", "96"]
    assert DEFAULTS.words() == []
