"""The charts of what was measured again or for long: repeats of the sustained rate, and the soak."""

from ..confidence import variation
from ..config import BenchConfig
from ..grid import Grid, digits, ms
from ..report import MOST_VARIATION, Report, spread
from ..soak import Soak
from ..steadiness import LEAST_CHANGE
from ..tables import drift_text
from . import charts
from .charts import Bar, Line
from .figures import Figure

SHOWN = ("p50", "p99")


def steadiness(report: Report) -> list[Figure]:
    """Those that the report has numbers for."""
    soak = report.measured.soak
    found = [_repeats(report), _soak(soak, report.config) if soak else None]
    return [figure for figure in found if figure]


def _repeats(report: Report) -> Figure | None:
    repeated = report.measured.repeated
    told = {name: (values, variation(values)) for name, values in spread(repeated).items()}
    known = {name: (values, 100 * share) for name, (values, share) in told.items() if share is not None}
    if len(repeated) < 2 or not known:
        return None
    names = {"rate": "queries a second"}
    shown = [(names.get(name, name), values, share) for name, (values, share) in known.items()]
    rows = [
        (name, f"{share:.2g} %", *(digits(one if name == names["rate"] else 1e3 * one) for one in values))
        for name, values, share in shown
    ]
    most = max(shown, key=lambda one: one[2])
    return Figure(
        "How much repeats differ",
        f"The same load was offered {len(repeated)} times. Most unlike was {most[0]}, with a"
        f" standard deviation of {most[2]:.2g} % of the mean: a smaller difference may be chance.",
        charts.bars(
            [
                Bar(name, share, f"{share:.2g} %", 2 if share > 100 * MOST_VARIATION else 0)
                for name, _, share in shown
            ],
            x="coefficient of variation, %",
        ),
        (),
        Grid(
            "Each repeat; milliseconds, or queries a second",
            ("figure", "variation", *(str(number + 1) for number in range(len(repeated)))),
            rows,
        ),
    )


def _soak(soak: Soak, config: BenchConfig) -> Figure | None:
    length = config.soak_seconds / len(soak.slices)
    middles = [(number + 0.5) * length for number in range(len(soak.slices))]
    series = [
        Line(
            name,
            [
                (time, 1e3 * value)
                for time, phase in zip(middles, soak.slices, strict=True)
                if (value := phase.summary.percentiles[name])
            ],
        )
        for name in SHOWN
    ]
    if not any(line.points for line in series):
        return None
    words = f"{soak.offered:,.0f} queries a second for {config.soak_seconds:,.0f} seconds."
    if p99 := soak.percentiles["p99"]:
        words += f" Of all calls 99 of 100 took at most {ms(p99)} ms."
    rows = [
        (digits(time), *(ms(phase.summary.percentiles[name]) for name in SHOWN))
        for time, phase in zip(middles, soak.slices, strict=True)
    ]
    rows.append(("drift", *(drift_text(soak.drifts.get(name)) for name in SHOWN)))
    return Figure(
        "How it held up",
        f"{words} {_drifted(soak)}",
        charts.lines(
            series,
            x="seconds since the soak began",
            y="milliseconds",
            bound=(f"SLO {config.slo_ms:g} ms", config.slo_ms),
        ),
        SHOWN,
        Grid("Milliseconds by time", ("seconds", *SHOWN), rows),
        lines=True,
    )


def _drifted(soak: Soak) -> str:
    if not soak.drifts:
        return "Too few calls to tell whether anything drifted."
    news = [f"{name} by {drift.change:+.0%}" for name, drift in soak.drifts.items() if drift.matters]
    if not news:
        return f"Nothing drifted by more than {LEAST_CHANGE:.0%} that chance would not explain."
    return f"Drifted from beginning to end: {', '.join(news)}."
