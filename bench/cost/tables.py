"""A cost study as tables: in the terminal, and as Markdown."""

from ..grid import Grid, digits, dollars
from .study import Study


def headline(study: Study) -> str:
    """The one number first."""
    offer = study.cheapest
    return (
        f"{dollars(offer.dollars_per_million)} per million queries on {offer.machine.title} at"
        f" {study.demand.mean:,.3g} queries/s on average, {offer.utilisation:.0%} of it in use"
    )


def grids(study: Study) -> list[Grid]:
    """Every table of the study."""
    found = [_machines(study), _rivals(study), _years(study), _profit(study)]
    return [grid for grid in found if grid.rows]


def elsewhere(study: Study) -> list[Grid]:
    """What services cost, and what everything costs over years."""
    return [grid for grid in (_rivals(study), _years(study)) if grid.rows]


def _machines(study: Study) -> Grid:
    rows = [
        (
            offer.machine.name,
            digits(offer.rate),
            f"{offer.hourly:.4f}",
            f"{offer.machine_hours / 24:.3g}",
            f"{offer.utilisation:.1%}",
            dollars(offer.dollars_per_million),
            dollars(offer.at_full_load),
            "–" if offer.joules is None else f"{offer.joules:.3g}",
        )
        for offer in study.offers
    ]
    taken = [offer.machine.name for offer in study.offers if not offer.given]
    given = [offer.machine.name for offer in study.offers if offer.given]
    rates = []
    if taken:
        rates.append(f"An assumption for {', '.join(taken)}: as fast as what was {study.conditions}.")
    if given:
        rates.append(f"The rate of {', '.join(given)} is yours.")
    hours = "started and stopped each hour if rented" if study.config.elastic else "all day"
    note = (
        f"{' '.join(rates)} Machines: to meet the busiest hour, {hours}. J: joules of a query at full"
        " load, by the watts in the price book."
    )
    header = ("machine", "rate/s", "$/hour", "machines", "in use", "$/million", "if full", "J")
    return Grid("A million queries, here", header, rows, note)


def _rivals(study: Study) -> Grid:
    ours, first = study.cheapest.dollars_per_million, study.offers[0].machine.name
    rows = [
        (
            rival.api.name,
            dollars(rival.dollars_per_million),
            f"{rival.dollars_per_million / ours:,.3g} ×",
            digits(rival.break_even),
        )
        for rival in study.rivals
    ]
    note = (
        f"For {study.volume.per_month:,.0f} texts a month of {study.volume.tokens:.3g} tokens."
        f" Over ours: than on {study.cheapest.machine.name}. Ours from: queries/s on average from which"
        f" {first} is cheaper."
        + "".join(f" {rival.api.name}: {rival.api.note}." for rival in study.rivals if rival.api.note)
    )
    header = ("service", "$/million", "over ours", "ours from")
    return Grid("A million queries, elsewhere", header, rows, note)


def _years(study: Study) -> Grid:
    queries = study.demand.mean * 86400 * 365 * study.config.years / 1e6
    here = [(offer.machine.name, offer.years_cost) for offer in study.offers]
    there = [(rival.api.name, rival.dollars_per_million * queries) for rival in study.rivals]
    rows = [(title, f"${cost:,.0f}") for title, cost in sorted((*here, *there), key=lambda row: row[1])]
    note = (
        f"{queries:,.0f} million queries. Boxes are bought again when worn out, the last pro rata;"
        " left out: space, network and hands."
    )
    return Grid(f"Over {study.config.years:g} years", ("", "US dollars"), rows, note)


def _profit(study: Study) -> Grid:
    rows = [
        (
            f"{cost:g} ×",
            f"{bend:g} ×",
            dollars(best.price),
            f"{best.volume * 1e6 / (30 * 86400):,.3g}",
            f"${best.profit:,.2f}",
        )
        for cost, bend, best in study.sensitivity
    ]
    note = (
        "Where marginal revenue meets marginal cost (a million queries more on the cheapest machine, full),"
        " with linear demand through your price and volume."
        if rows
        else ""
    )
    header = ("cost", "elasticity", "best price $/million", "queries/s", "profit a month")
    return Grid("The price that earns most", header, rows, note)
