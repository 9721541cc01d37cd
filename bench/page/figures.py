"""Which charts a report has, each with what it says in words and its numbers as a table."""

from collections.abc import Sequence
from dataclasses import dataclass

from strop.cost import dollars_per_million

from ..confidence import Interval
from ..cost.study import Study
from ..grid import Grid, between, digits, dollars, ms
from ..report import Report
from ..search import Phase
from ..tables import phase_name
from . import charts
from .charts import Bar, Line

SHOWN = ("p50", "p90", "p99")
STAGES = ("tokenise", "queue", "compute")


@dataclass(frozen=True)
class Figure:
    """A chart."""

    title: str
    words: str
    """What is to be seen, in a sentence or two."""
    svg: str
    legend: Sequence[str]
    """Of its series, in order; none where the names stand in the chart."""
    numbers: Grid
    lines: bool = False
    """Whether the legend is of lines, which differ by their dashes too."""


def figures(report: Report, study: Study | None) -> list[Figure]:
    """The charts that the report has numbers for; ``study`` is ``None`` where no rate met the SLO."""
    found = [_load(report), _percentiles(report), _stages(report)]
    if study:
        found += [_cost(study), _break_even(study)]
    return [figure for figure in found if figure]


def _load(report: Report) -> Figure | None:
    opened = sorted(report.measured.opened, key=lambda phase: phase.summary.rate)
    series = []
    for name in SHOWN:
        pairs = [(phase.summary.rate, phase.summary.percentiles[name]) for phase in opened]
        series.append(
            Line(name, [(rate, 1e3 * value) for rate, value in pairs if value], spans=_spans(opened, name))
        )
    if not any(line.points for line in series):
        return None
    slo = report.config.slo_ms
    met = report.rate
    words = (
        f"Each point is a rate that was offered for a while; 99 of 100 calls must take at most {slo:g} ms. "
    )
    words += f"The highest rate that did was {met:,.0f} a second." if met else "No rate tried did."
    if any(line.spans for line in series):
        words += " A stroke through a point is its 95 % interval, where there were calls enough to tell it."
    rows = [
        (digits(phase.summary.rate), *(ms(phase.summary.percentiles[name]) for name in SHOWN))
        for phase in opened
    ]
    return Figure(
        "Latency against load",
        words,
        charts.lines(
            series, x="queries answered a second", y="milliseconds", bound=(f"SLO {slo:g} ms", slo)
        ),
        SHOWN,
        Grid("Milliseconds by rate", ("queries/s", *SHOWN), rows),
        lines=True,
    )


def _spans(phases: Sequence[Phase], name: str) -> list[tuple[float, float, float]]:
    """The interval of a percentile at each rate that has both its bounds, in milliseconds."""
    found = ((phase.summary.rate, _span(phase.summary.intervals[name])) for phase in phases)
    return [(rate, *span) for rate, span in found if span]


def _span(interval: Interval) -> tuple[float, float] | None:
    low, high = interval
    return None if low is None or high is None else (1e3 * low, 1e3 * high)


def _percentiles(report: Report) -> Figure | None:
    sustained = report.measured.sustained
    if sustained is None:
        return None
    slo = report.config.slo_ms
    known = [(name, 1e3 * value) for name, value in sustained.summary.percentiles.items() if value]
    if longest := sustained.summary.longest:
        known.append(("longest", 1e3 * longest))
    intervals = {name: sustained.summary.intervals.get(name, (None, None)) for name, _ in known}
    bars = [
        Bar(name, value, f"{digits(value)} ms", 2 if value > slo else 0, _span(intervals[name]))
        for name, value in known
    ]
    sure = " A fork across a bar is its 95 % interval." if any(bar.span for bar in bars) else ""
    drift = sustained.summary.drift
    drifted = f" While they ran, {drift}." if drift and drift.matters else ""
    return Figure(
        "How long calls take at that rate",
        f"At {sustained.summary.rate:,.0f} queries a second half of the calls take at most"
        f" {ms(sustained.summary.percentiles['p50'])} ms, and 99 of 100 at most"
        f" {ms(sustained.summary.percentiles['p99'])} ms.{sure}{drifted}",
        charts.bars(bars, x="milliseconds", bound=("SLO", slo)),
        (),
        Grid(
            "Milliseconds",
            ("percentile", "ms", "95 % interval"),
            [(name, digits(value), between(intervals[name])) for name, value in known],
        ),
    )


def _stages(report: Report) -> Figure | None:
    told = [(phase, _stage_times(phase)) for phase in report.measured.phases if phase.stages]
    if not told:
        return None
    rows = [(phase_name(phase), times) for phase, times in told]
    known = next((phase for phase, _ in told if phase is report.measured.sustained), told[-1][0])
    _, waiting, computing = _stage_times(known)
    return Figure(
        "Where the time goes in the server",
        "The median of each stage by itself, as the server tells it; network and client come on top."
        f" In the phase {phase_name(known)} computing takes {digits(computing)} ms, waiting for it"
        f" {digits(waiting)} ms.",
        charts.parts(rows, x="milliseconds"),
        STAGES,
        Grid("Milliseconds", ("load", *STAGES), [(name, *map(digits, times)) for name, times in rows]),
    )


def _stage_times(phase: Phase) -> tuple[float, float, float]:
    stages = phase.stages
    assert stages is not None  # noqa: S101
    return 1e3 * stages.tokenise, 1e3 * stages.queue, 1e3 * stages.compute


def _cost(study: Study) -> Figure:
    here = [(offer.machine.title, offer.dollars_per_million, 0) for offer in study.offers]
    there = [(rival.api.title, rival.dollars_per_million, 1) for rival in study.rivals]
    ranked = sorted((*here, *there), key=lambda one: one[1])
    paid = [one for one in ranked if one[1] > 0]
    first = study.offers[0]
    cost = dollars(first.dollars_per_million)
    words = f"{first.machine.title}: {cost}, if it is as fast as what was measured."
    dearer = [rival for rival in study.rivals if rival.dollars_per_million > 0]
    if dearer:
        least = min(dearer, key=lambda rival: rival.dollars_per_million)
        times = least.dollars_per_million / first.dollars_per_million
        words += (
            f" The cheapest service, {least.api.title}, asks {dollars(least.dollars_per_million)}:"
            f" {times:,.3g} times that."
        )
    return Figure(
        "A million queries, here and elsewhere",
        words + " Each step of the axis is a factor of ten.",
        charts.bars(
            [Bar(name, cost, dollars(cost), kind) for name, cost, kind in paid],
            x="US dollars per million queries",
            log=True,
        ),
        ("your own machine", "a service, at its list price"),
        Grid("US dollars per million queries", ("", "$/million"), [(n, dollars(c)) for n, c, _ in ranked]),
    )


def _break_even(study: Study) -> Figure | None:
    rivals = [rival for rival in study.rivals if 0 < rival.break_even < float("inf")]
    if not rivals:
        return None
    offer = study.offers[0]
    demands = [rival.break_even for rival in rivals]
    low, high = min(*demands, offer.rate) / 3, max(offer.rate, *demands)
    # A machine more each time that the last one is full.
    steps = [low * (high / low) ** (step / 60) for step in range(61)]
    ours = [
        (demand, dollars_per_million(offer.hourly, demand, 1.0)) for demand in steps if demand <= offer.rate
    ]
    series = [Line(offer.machine.title, ours, dots=False)]
    series += [
        Line(
            rival.api.title,
            [(low, rival.dollars_per_million), (high, rival.dollars_per_million)],
            dots=False,
        )
        for rival in rivals
    ]
    return Figure(
        "From which demand on a machine of your own is cheaper",
        f"The falling line is one {offer.machine.title}, paid for whether it is asked or not, up to the"
        f" {offer.rate:,.0f} queries a second that it is taken to sustain. Where it crosses a service's, it"
        " becomes the cheaper one.",
        charts.lines(
            series,
            x="queries a second, on average",
            y="US dollars per million",
            log_x=True,
            at=("one machine's most", offer.rate),
        ),
        [line.name for line in series],
        Grid(
            "Cheaper than the service from so many queries a second on average",
            ("service", "queries/s"),
            [(rival.api.title, digits(rival.break_even)) for rival in rivals],
        ),
        lines=True,
    )
