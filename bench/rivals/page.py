"""A comparison as one HTML page: the ratio first, then rates, dollars and latency beside each other."""

from collections.abc import Callable

from ..grid import Grid, digits, dollars, ms
from ..page import charts
from ..page.charts import Bar
from ..page.figures import Figure
from ..page.template import Page, render
from .contenders import Contender
from .report import Ratio, RivalsReport
from .tables import HOW, grids, setting, who

KINDS = ("Strop", "another server")


def to_html(report: RivalsReport) -> str:
    """The comparison as a page that needs no network and no script."""
    slo = f"p99\u00a0≤\u00a0{report.setting.config.slo_ms:g}\u00a0ms"
    mine = report.own[0]
    best = _best(report)
    ratio = report.ratio(mine.name, best.name) if best else None
    name = report.setting.bundle.manifest.name
    return render(
        Page(
            title=f"{name}: the same model on other servers",
            number=f"{digits(ratio[0])} ×" if ratio else "n/a",
            words=f"the rate of {best.name}, the fastest other server, at {slo}"
            if best
            else f"No other server met {slo}",
            sentence=_sentence(report, ratio),
            tiles=_tiles(report, best),
            figures=_figures(report),
            grids=grids(report),
            warnings=report.warnings(),
            unmeasured=_unmeasured(report),
            setting=[*setting(report), *HOW, *(f"{one.name}: {who(one)}" for one in report.contenders)],
        )
    )


def _best(report: RivalsReport) -> Contender | None:
    """The rival of the highest rate."""
    rivals = [one for one in report.measured if one in report.rivals and report.rate(one.name)]
    return max(rivals, key=lambda one: report.rate(one.name), default=None)


def _sentence(report: RivalsReport, ratio: Ratio | None) -> str:
    if ratio is None:
        return "So there is no ratio to tell: one of the two missed the SLO at every rate of a round."
    low, high = ratio[1]
    return (
        f"{report.own[0].name}, on the same fp32 weights and the same cores; 95 % interval {digits(low)} to"
        f" {digits(high)}"
    )


def _tiles(report: RivalsReport, best: Contender | None) -> list[tuple[str, str, str]]:
    tiles = []
    for one in [*report.own, *([best] if best else [])]:
        cost = dollars(report.cost(one.name))
        tiles.append((one.name, f"{digits(report.rate(one.name))}/s", f"{cost} per million queries"))
    return tiles


def _figures(report: RivalsReport) -> list[Figure]:
    machine = report.setting.machine
    found = [
        _bars(
            report,
            "Queries a second within the SLO",
            "The highest rate that each server sustained; longer is better.",
            "queries a second",
            report.rate,
            digits,
        ),
        _bars(
            report,
            "A million queries, in US dollars",
            f"At the price of {machine.title}, if it is as fast as this one; shorter is better.",
            "US dollars per million queries",
            report.cost,
            dollars,
        ),
    ]
    if report.common:
        found.append(
            _bars(
                report,
                "How long the slowest hundredth takes, at least",
                f"The p99 while each is offered {digits(report.common)} queries a second.",
                "milliseconds",
                lambda name: report.percentile(name, 99.0),
                lambda seconds: f"{ms(seconds)} ms",
                scale=1e3,
            )
        )
    return [figure for figure in found if figure.numbers.rows]


def _bars(
    report: RivalsReport,
    title: str,
    words: str,
    unit: str,
    value: Callable[[str], float | None],
    text: Callable[[float], str],
    scale: float = 1.0,
) -> Figure:
    """A bar for each server that has a value, in the order of the values."""
    names = [one.name for one in report.own]
    known = [(one.name, found) for one in report.measured if (found := value(one.name))]
    known.sort(key=lambda one: one[1])
    return Figure(
        title,
        words,
        charts.bars(
            [Bar(name, scale * found, text(found), int(name not in names)) for name, found in known], x=unit
        ),
        KINDS,
        Grid(title, ("server", unit), [(name, text(found)) for name, found in known]),
    )


def _unmeasured(report: RivalsReport) -> list[str]:
    return [
        *(f"{name}: {why}" for name, why in report.failures.items()),
        "Other machines: the price book's is taken to be as fast as the one measured.",
        "The network: clients and servers ran on one machine, and shared its cores.",
        "Energy: no meter was read.",
        "Other settings of the rivals than those named below.",
    ]
