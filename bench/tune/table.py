"""The search as a table, and its outcome as a sentence."""

from collections.abc import Sequence

from ..grid import Grid, ms
from .search import ROUNDS, Candidate, Result, beats

SETTING_COLUMNS = {
    "workers": "workers",
    "instances": "instances",
    "threads": "threads",
    "tokens": "batch_tokens",
    "queue": "queue_texts",
}


def headline(result: Result) -> str:
    """Whether tuning beat the defaults, by how much, and what chance alone may do."""
    best, defaults = result.best, result.defaults
    if best is None:
        return f"Not tuned: the defaults sustain {defaults.sustained:.1f} texts/s, and nothing else ran."
    chance = f"the rounds spread so that {result.spread:.1f} texts/s may be chance"
    if result.winner:
        return (
            f"Tuned: {best.setting} sustains {best.sustained:.1f} texts/s, {_against(best, defaults)};"
            f" {chance}."
        )
    return (
        f"Not tuned: the defaults sustain {defaults.sustained:.1f} texts/s, the best other setting"
        f" ({best.setting}) {best.sustained:.1f}; {chance}."
    )


def table(result: Result) -> Grid:
    """Every setting that was tried: the defaults, the finalists by rate, then the others by rate."""
    others = sorted(result.candidates, key=lambda one: (-one.sustained, not one.rounds, -one.closed))
    varied = {
        column: option
        for column, option in SETTING_COLUMNS.items()
        if any(option in one.setting.options() for one in others)
    }
    return Grid(
        "Settings, texts a second, milliseconds",
        (*varied, "closed", "sustained", "spread", "p50", "p99", "verdict"),
        [_row(one, result, list(varied.values())) for one in (result.defaults, *others)],
        "–: as by default; closed: calls in flight; sustained: open loop, p99 within the SLO, median of"
        f" {ROUNDS} rounds; spread: the highest round less the lowest; p50 and p99 at the sustained rate;"
        " verdict: sustained against the defaults.",
        narrow=False,
    )


def _row(one: Candidate, result: Result, shown: Sequence[str]) -> tuple[str, ...]:
    options = one.setting.options()
    percentiles = one.typical.summary.percentiles if one.typical else {}
    return (
        *(str(options.get(name, "–")) for name in shown),
        f"{one.closed:.1f}" if one.closed else "–",
        f"{one.sustained:.1f}" if one.rounds else "–",
        f"{one.spread:.1f}" if one.rounds else "–",
        *(ms(percentiles.get(name)) for name in ("p50", "p99")),
        _verdict(one, result),
    )


def _verdict(one: Candidate, result: Result) -> str:
    if one is result.defaults:
        return "the defaults" if result.winner else "stays"
    if one is result.winner:
        return f"wins, {_gain(one, result.defaults)}"
    if one.dropped:
        return f"out in round {one.dropped}"
    if not one.sustained:
        return one.failure
    differ = beats(one, result.defaults) or beats(result.defaults, one)
    return _gain(one, result.defaults) + ("" if differ else ", maybe chance")


def _against(one: Candidate, defaults: Candidate) -> str:
    if not defaults.sustained:
        return "where the defaults sustain no rate"
    return f"{_gain(one, defaults)} on the defaults' {defaults.sustained:.1f}"


def _gain(one: Candidate, defaults: Candidate) -> str:
    return f"{one.sustained / defaults.sustained - 1:+.1%}" if defaults.sustained else "more"
