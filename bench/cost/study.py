"""A cost study: one measured rate against machines, services, demand and market."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Self

from strop.cost import MILLION, discounted, dollars_per_million, joules_per_query
from strop.errors import InputError

from ..saved import SavedReport
from .apis import Api, Volume
from .choices import break_even_rate, dollars_over
from .config import CostConfig
from .demand import HOURS, Demand
from .price_book import Machine, doubt, pick, read_price_book
from .profit import Market, Optimum, best_price, sensitivity

CHARACTERS_A_TOKEN = 4.0


@dataclass(frozen=True)
class Offer:
    """A machine, at the rate that it is known or taken to sustain."""

    machine: Machine
    rate: float
    """Queries per second."""
    given: bool
    """Whether the user knows that rate; else it is that of the machine measured."""
    hourly: float
    """US dollars, discounted."""
    machine_hours: float
    """A day, to meet the demand."""
    utilisation: float
    years_cost: float
    """US dollars over the years asked about, to meet the demand all that time."""
    joules: float | None
    """Of a query at full load, where the machine's watts are known."""

    @property
    def dollars_per_million(self) -> float:
        """US dollars per million queries at that utilisation."""
        return dollars_per_million(self.hourly, self.rate, self.utilisation)

    @property
    def at_full_load(self) -> float:
        """US dollars per million queries if it had work all the time: what one more million costs."""
        return dollars_per_million(self.hourly, self.rate, 1.0)


@dataclass(frozen=True)
class Rival:
    """A service at the demand's volume."""

    api: Api
    dollars_per_million: float
    break_even: float
    """Queries per second from which on the first offer's machine is cheaper."""


@dataclass(frozen=True)
class Study:
    """Everything that follows from a report and a price book."""

    config: CostConfig
    measured_rate: float
    conditions: str
    """What the rate was measured on."""
    demand: Demand
    volume: Volume
    offers: Sequence[Offer]
    """In the order that the machines were named."""
    rivals: Sequence[Rival]
    warnings: Sequence[str]

    @classmethod
    def of(cls, config: CostConfig, report: SavedReport, today: date) -> Self:
        """Compute what ``config`` asks of a report; ``InputError`` for what can't be read or used."""
        rate = report.rate
        if rate is None:
            raise InputError(
                f"{config.report}: no rate met its SLO, so there is nothing to cost; bench again"
            )
        book = read_price_book(config.prices)
        machines = pick(book.machines, config.machines)
        apis = pick(book.apis, config.apis, "--apis")
        known = _rates(config.rates, {machine.name for machine in machines})
        demand = read_demand(config.demand)
        volume = _volume(config, report, demand)
        offers = [_offer(config, demand, machine, rate, known) for machine in machines]
        rivals = [
            Rival(api, cost, break_even_rate(offers[0].hourly, cost))
            for api in apis
            for cost in [api.dollars_per_million(volume)]
        ]
        doubts = [*(doubt(one, today) for one in machines), *(doubt(one, today) for one in apis)]
        return cls(
            config,
            rate,
            str(report["conditions"]),
            demand,
            volume,
            offers,
            rivals,
            [one for one in doubts if one],
        )

    @cached_property
    def market(self) -> Market | None:
        """The market, where the user gave its price."""
        price = self.config.market_price
        if price is None:
            return None
        return Market(price, self.demand.per_month / MILLION, self.config.elasticity)

    @cached_property
    def cheapest(self) -> Offer:
        """The offer that meets the demand for least."""
        return min(self.offers, key=lambda offer: offer.dollars_per_million)

    @cached_property
    def optimum(self) -> Optimum | None:
        """What earns most on the cheapest machine."""
        return best_price(self.market, self.cheapest.at_full_load) if self.market else None

    @cached_property
    def sensitivity(self) -> list[tuple[float, float, Optimum]]:
        """The same were cost or elasticity other than thought; none without a market."""
        return sensitivity(self.market, self.cheapest.at_full_load) if self.market else []


def read_demand(text: str) -> Demand:
    """``flat:RATE``, or a file with 24 numbers; ``InputError`` for anything else."""
    kind, _, rate = text.partition(":")
    try:
        if kind == "flat":
            return Demand((float(rate),) * HOURS)
        return Demand(tuple(float(word) for word in Path(text).read_text(encoding="utf-8").split()))
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise InputError(f"--demand {text}: {error}; give flat:RATE or a file with 24 rates") from error


def _offer(
    config: CostConfig, demand: Demand, machine: Machine, measured: float, known: Mapping[str, float]
) -> Offer:
    rate = known.get(machine.name, measured)
    owned = machine.dollars is not None
    elastic = config.elastic and not owned
    hourly = machine.hourly() if owned else discounted(machine.hourly(), config.discount)
    hours = demand.machine_hours(rate, elastic=elastic)
    return Offer(
        machine,
        rate,
        machine.name in known,
        hourly,
        hours,
        demand.utilisation(rate, elastic=elastic),
        dollars_over(hourly, hours, config.years),
        None if machine.watts is None else joules_per_query(machine.watts, rate),
    )


def _rates(given: Sequence[str], machines: set[str]) -> dict[str, float]:
    rates = {}
    for text in given:
        name, _, rate = text.rpartition("=")
        if name not in machines:
            raise InputError(
                f"--rates {text}: {name!r} is not among --machines {' '.join(sorted(machines))}"
            )
        try:
            rates[name] = float(rate)
        except ValueError as error:
            raise InputError(f"--rates {text}; give NAME=QUERIES_PER_SECOND") from error
        if not 0 < rates[name] < float("inf"):
            raise InputError(f"--rates {text}: the rate must be above 0")
    return rates


def _volume(config: CostConfig, report: SavedReport, demand: Demand) -> Volume:
    try:
        lengths = {int(length): int(texts) for length, texts in report.fields["lengths"].items()}
        mean = sum(length * texts for length, texts in lengths.items()) / sum(lengths.values())
    except (KeyError, AttributeError, TypeError, ValueError, ZeroDivisionError) as error:
        raise InputError(f"{config.report} doesn't tell the lengths of its texts; bench again") from error
    return Volume(lengths, config.tokens_per_text or mean / CHARACTERS_A_TOKEN, demand.per_month)
