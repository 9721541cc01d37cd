"""The price book: named machines and services with dated, sourced prices, from TOML files."""

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any, Self, TypeVar

from strop.cost import owned_dollars_per_hour
from strop.errors import InputError, reason

from .apis import Api

FOLDER = Path(__file__).parents[1] / "prices"
STALE_DAYS = 180
Entry = TypeVar("Entry")


@dataclass(frozen=True)
class Machine:
    """One machine and its price, either rented by the hour or bought once."""

    name: str
    title: str
    hardware: str
    source: str
    seen: date | None = None
    """The day on which the source showed the price."""
    dollars_per_hour: float | None = None
    """Rented: US dollars an hour."""
    dollars: float | None = None
    """Bought: US dollars once; then ``years``, ``watts`` and ``dollars_per_kwh`` are needed too."""
    years: float | None = None
    watts: float | None = None
    dollars_per_kwh: float | None = None

    @classmethod
    def from_entry(cls, entry: Mapping[str, Any], file: Path) -> Self:
        """One ``[[machine]]`` of a price file; ``InputError`` says what is wrong with it."""
        where = f"{file}, machine {entry.get('name', '?')!r}"
        known = {field.name for field in fields(cls)}
        if unknown := sorted(set(entry) - known):
            raise InputError(f"{where}: unknown key {unknown[0]!r}; keys: {', '.join(sorted(known))}")
        try:
            machine = cls(**entry)
            machine.hourly()
        except (TypeError, ValueError) as error:
            raise InputError(f"{where}: {error}") from error
        return machine

    def hourly(self) -> float:
        """US dollars an hour; ``ValueError`` unless the entry has one whole kind of price."""
        bought = (self.dollars, self.years, self.watts, self.dollars_per_kwh)
        if self.dollars_per_hour is not None and bought == (None,) * 4:
            return float(self.dollars_per_hour)
        if self.dollars_per_hour is not None or None in bought:
            raise ValueError(
                "give either dollars_per_hour or all of dollars, years, watts, dollars_per_kwh"
            )
        return owned_dollars_per_hour(*(float(value) for value in bought if value is not None))


def doubt(entry: Machine | Api, today: date) -> str | None:
    """Why a price may no longer hold, or ``None`` for one seen in the last 180 days."""
    if entry.seen is None:
        return f"the price of {entry.name} is undated ({entry.source})"
    age = (today - entry.seen).days
    if age > STALE_DAYS:
        return f"the price of {entry.name} is {age} days old (seen {entry.seen}, {entry.source})"
    return None


@dataclass(frozen=True)
class PriceBook:
    """Every machine and every service by name."""

    machines: Mapping[str, Machine]
    apis: Mapping[str, Api]


def read_price_book(extra: Path | None = None) -> PriceBook:
    """The built-in files, then ``extra``, whose names win.

    Raises ``InputError`` for a file that can't be read or an entry that is neither.
    """
    machines: dict[str, Machine] = {}
    apis: dict[str, Api] = {}
    for file in [*sorted(FOLDER.glob("*.toml")), *([extra] if extra else [])]:
        tables = _read(file)
        machines |= {
            one.name: one
            for one in (Machine.from_entry(entry, file) for entry in tables.get("machine", ()))
        }
        apis |= {one.name: one for one in (Api.from_entry(entry, file) for entry in tables.get("api", ()))}
    return PriceBook(machines, apis)


def pick(book: Mapping[str, Entry], names: Iterable[str], option: str = "--machines") -> list[Entry]:
    """The named ones in order; ``InputError`` suggests the nearest name for an unknown one."""
    found = []
    for name in names:
        if name not in book:
            near = difflib.get_close_matches(name, book, n=1, cutoff=0.4)
            hint = f"did you mean {near[0]}?" if near else "name it in a TOML file given to --prices;"
            raise InputError(f"{option} {name}: not in the price book; {hint} known: {', '.join(book)}")
        found.append(book[name])
    return found


def _read(file: Path) -> dict[str, Any]:
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(
            f"--prices {file} can't be read: {reason(error)}; see bench/prices for the form"
        ) from error
    lists = all(isinstance(entries, list) for entries in tables.values())
    if not tables or not lists or tables.keys() - {"machine", "api"}:
        raise InputError(
            f"--prices {file}: nothing but [[machine]] and [[api]] tables; see bench/prices for the form"
        )
    return tables
