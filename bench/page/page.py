"""The page from its parts: numbers, charts, tables, warnings, what was not measured."""

from collections.abc import Sequence
from pathlib import Path

from ..cost import tables as cost_tables
from ..cost.config import CostConfig
from ..cost.study import Study
from ..grid import digits, dollars, joules, ms
from ..report import Report
from ..saved import SavedReport
from ..tables import grids, setting
from .figures import figures
from .steadiness import steadiness
from .template import Page, render
from .unmeasured import unmeasured


def to_html(report: Report) -> str:
    """The report as a page that needs no network and no script.

    Its costs are those of a demand that is always the sustained rate, times the utilisation.
    """
    study = _study(report)
    slo = f"p99\u00a0≤\u00a0{report.config.slo_ms:g}\u00a0ms"
    return render(
        Page(
            title=f"{report.measured.first.model}: what a query costs",
            number=dollars(report.cost(report.machines[0])) if report.rate else "too slow",
            words=f"per million queries at {slo}" if report.rate else f"No rate that was tried met {slo}",
            sentence=_sentence(report),
            tiles=_tiles(report, study),
            figures=[*figures(report, study), *steadiness(report)],
            # What a study says of machines, the report says already.
            grids=[*grids(report), *(cost_tables.elsewhere(study) if study else ())],
            warnings=list(dict.fromkeys([*report.warnings(), *(study.warnings if study else ())])),
            unmeasured=unmeasured(report),
            setting=setting(report),
        )
    )


def _study(report: Report) -> Study | None:
    if report.rate is None:
        return None
    config = CostConfig(
        report=Path(),
        machines=tuple(machine.name for machine in report.machines),
        demand=f"flat:{report.rate * report.config.utilisation!r}",
        prices=report.config.prices,
    )
    return Study.of(config, SavedReport(config.report, report.fields()), report.created.date())


def _sentence(report: Report) -> str:
    if report.rate is None:
        first = report.measured.opened[0]
        return f"So there is no cost to tell. At {first.offered:,.0f} queries a second: {first.failure}."
    share = report.config.utilisation
    use = "all of it in use" if share == 1 else f"{share:.0%} of it in use"
    return f"on {report.machines[0].title}, if it is as fast as the machine measured, {use}"


def _tiles(report: Report, study: Study | None) -> Sequence[tuple[str, str, str]]:
    """(name, value, remark) of the few other numbers that everyone asks for."""
    tiles = []
    if sustained := report.measured.sustained:
        percentiles = sustained.summary.percentiles
        tiles.append(("sustained", f"{sustained.summary.rate:,.0f}/s", "queries a second within the SLO"))
        tiles.append(
            ("p50 · p99", f"{ms(percentiles['p50'])} · {ms(percentiles['p99'])} ms", "at that rate")
        )
    if report.accuracy:
        name, value = next(iter(report.accuracy.metrics.items()))
        promised = report.promised[1].get(name) if report.promised else None
        remark = "no promise named" if promised is None else f"promised {promised:.4f}"
        tiles.append((name.replace("_", "-"), f"{value:.4f}", f"over the wire, {remark}"))
    if sustained and (energy := report.energy(sustained)):
        more = "" if energy.marginal is None else f", {joules(energy.marginal)} J above idle"
        tiles.append(("energy", f"{joules(energy.joules)} J", f"a query at that rate{more}"))
    if study and study.rivals:
        dearer = [rival for rival in study.rivals if rival.dollars_per_million > 0]
        least = min(dearer, key=lambda rival: rival.dollars_per_million, default=None)
        if least:
            times = least.dollars_per_million / (report.cost(report.machines[0]) or float("inf"))
            name = "cheapest service"
            tiles.append((name, f"{digits(times)} ×", f"our cost: {least.api.title}, by list price"))
    return tiles
