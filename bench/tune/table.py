"""The search as a table, and its outcome as a sentence."""

from ..grid import Grid, ms
from .search import ROUNDS, Candidate, Result, beats
from .settings import Setting

SETTING_COLUMNS = ("shape", "tokens", "queue")
"""Short, so that the whole table stands in 80 columns."""


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
    return Grid(
        "Settings, texts a second, milliseconds",
        (*SETTING_COLUMNS, "closed", "sustained", "spread", "p50", "p99", "verdict"),
        [_row(one, result) for one in (result.defaults, *others)],
        "shape: instances × threads, in so many workers; –: as by default; closed: calls in flight;"
        f" sustained: open loop, p99 within the SLO, median of {ROUNDS} rounds; spread: the highest round"
        " less the lowest; p50 and p99 at the sustained rate; verdict: sustained against the defaults, with"
        " ? where it may be chance.",
        narrow=False,
    )


def _row(one: Candidate, result: Result) -> tuple[str, ...]:
    percentiles = one.typical.summary.percentiles if one.typical else {}
    return (
        _shape(one.setting),
        *(str(value or "–") for value in (one.setting.batch_tokens, one.setting.queue_texts)),
        f"{one.closed:.1f}" if one.closed else "–",
        f"{one.sustained:.1f}" if one.rounds else "–",
        f"{one.spread:.1f}" if one.rounds else "–",
        *(ms(percentiles.get(name)) for name in ("p50", "p99")),
        _verdict(one, result),
    )


def _shape(setting: Setting) -> str:
    if setting.instances is None:
        return "–"
    workers = f" in {setting.workers}" if setting.workers else ""
    return f"{setting.instances}×{setting.threads}{workers}"


def _verdict(one: Candidate, result: Result) -> str:
    if one is result.defaults:
        return "the defaults" if result.winner else "stays"
    if one is result.winner:
        return f"wins, {_gain(one, result.defaults)}"
    if one.dropped:
        return f"out, round {one.dropped}"
    if not one.sustained:
        return one.failure
    differ = beats(one, result.defaults) or beats(result.defaults, one)
    return _gain(one, result.defaults) + ("" if differ else "?")


def _against(one: Candidate, defaults: Candidate) -> str:
    if not defaults.sustained:
        return "where the defaults sustain no rate"
    return f"{_gain(one, defaults)} on the defaults' {defaults.sustained:.1f}"


def _gain(one: Candidate, defaults: Candidate) -> str:
    return f"{one.sustained / defaults.sustained - 1:+.1%}" if defaults.sustained else "more"
