"""``strop cost``: what a measured rate is worth."""

from dataclasses import asdict
from datetime import date
from typing import Any

from rich.console import Console

from .config import CostConfig


def cost(config: CostConfig) -> None:
    """What a million queries cost here at your demand, what they cost elsewhere, and what to charge.

    Takes the rate that strop bench found to be sustained within the SLO and the dated prices of the
    price book. Nothing is measured.
    """
    # Not at the top: the option's help must not wait for numpy.
    from ..grid import grid_markdown, show_grid
    from ..saved import SavedReport
    from ..written import check_folder, to_json, write_files
    from .study import Study
    from .tables import grids, headline

    out = config.out or config.report.parent
    check_folder(out)
    study = Study.of(config, SavedReport.read(config.report), date.today())
    page = [f"# {headline(study)}", *(grid_markdown(grid) for grid in grids(study))]
    if study.warnings:
        page += ["## Warnings", "\n".join(f"- {warning}" for warning in study.warnings)]
    path = write_files(out, "cost", {"json": to_json(_fields(study)), "md": "\n\n".join(page) + "\n"})
    console = Console()
    for grid in grids(study):
        show_grid(grid, console)
    for warning in study.warnings:
        console.print(f"warning: {warning}", style="yellow", markup=False)
    console.print(headline(study), style="bold", markup=False)
    console.print(f"report: {path} and .json", markup=False, soft_wrap=True)


def _fields(study: Any) -> dict[str, Any]:
    """The study as ``strop.cost/1``: US dollars, queries per second, shares."""
    derived = [
        {"dollars_per_million": offer.dollars_per_million, "at_full_load": offer.at_full_load}
        for offer in study.offers
    ]
    volume = {"per_month": study.volume.per_month, "tokens": study.volume.tokens}
    return {
        "schema": "strop.cost/1",
        "config": asdict(study.config),
        "measured_rate": study.measured_rate,
        "conditions": study.conditions,
        "demand": study.demand.hourly,
        "volume": volume,
        "offers": [asdict(offer) | more for offer, more in zip(study.offers, derived, strict=True)],
        "rivals": [asdict(rival) for rival in study.rivals],
        "profit": [
            {"cost_factor": cost, "elasticity_factor": bend, **asdict(best)}
            for cost, bend, best in study.sensitivity
        ],
        "warnings": study.warnings,
    }
