"""Which versions answer a call that names none, read from a file that may change."""

import hashlib
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from strop.errors import InputError, reason
from strop.export.bundle.typed import build

POINTS = 2**64


@dataclass(frozen=True)
class Bounds:
    """When a version loses its share of the calls: its last calls against those of the main version."""

    seconds: float = 30.0
    """Only calls of so many seconds count."""
    min_calls: int = 100
    """Nothing is judged by fewer."""
    max_error_share: float = 0.02
    """How much larger the share of its calls that failed may be."""
    max_p99_ratio: float = 2.0
    """How much longer its p99 may be, as a ratio."""
    min_agreement: float = 0.9
    """The share of texts that both must answer alike; only known with ``shadow_share``."""


@dataclass(frozen=True)
class Route:
    """Who answers for a name."""

    aliases: Mapping[str, str] = field(default_factory=dict)
    """Versions by another name, which callers may use, too."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """Shares of the calls that name no version, by version."""
    shadow: str | None = None
    """A version that is asked unseen: nobody waits for its answers, and they are only compared."""
    shadow_share: float = 0.0
    """Share of the calls whose texts another version answers, too: the shadow, or each weighted version
    for the main one and the other way round."""
    rollback: Bounds | None = None
    """Take a version's share away when it crosses a bound; ``None`` never does."""

    @property
    def main(self) -> str | None:
        """The version with most of the calls, by which the others are judged."""
        return max(self.weights, key=self.weights.__getitem__, default=None)

    @property
    def versions(self) -> set[str]:
        """Those that it names."""
        shadow = {self.shadow} if self.shadow else set()
        return {*self.aliases.values(), *self.weights, *shadow}

    def choose(self, point: float, able: Mapping[str, bool]) -> str | None:
        """The version at ``point``, 0 to below 1, of those that are ``able``; ``None`` if none is.

        Versions keep their places: a caller's point leads to the same one until its weight changes,
        and one that isn't able leaves its callers to the main one, or else to the first that is.
        """
        total, end = sum(self.weights.values()), 0.0
        chosen = None
        for version, weight in sorted(self.weights.items(), key=lambda one: (one[0] != self.main, one[0])):
            end += weight
            if point * total < end:
                chosen = version
                break
        ranked = (chosen, self.main, *self.weights)
        return next((one for one in ranked if one is not None and able.get(one)), None)


def sticky_point(key: str) -> float:
    """Where a caller's key stands between 0 and 1: always the same, and keys are spread evenly."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest()) / POINTS


class RouteFile:
    """A file of routes, read again once it has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: tuple[int, int] | None = None

    def news(self) -> dict[str, Route] | None:
        """The routes if the file has changed since the last call; ``InputError`` if they are wrong."""
        try:
            stat = self._path.stat()
        except OSError as error:
            raise InputError(
                f"--routes {self._path} can't be read: {reason(error)}; name another file"
            ) from error
        read = (stat.st_mtime_ns, stat.st_size)
        if read == self._read:
            return None
        self._read = read  # before it is read: a wrong one is told once
        return read_routes(self._path)


def read_routes(path: Path) -> dict[str, Route]:
    """The routes in a TOML file, by model; ``InputError`` names the table, the field and the fix."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"--routes {path} can't be read: {reason(error)}; mend it") from error
    routes = {}
    for name, table in tables.items():
        try:
            routes[name] = _route(table)
        except ValueError as error:
            raise InputError(f"--routes {path}: [{name}] {error}") from error
    return routes


def _route(table: Mapping[str, Any]) -> Route:
    """A route of a table; ``ValueError`` says what is wrong with it."""
    _require_known(table, Route)
    aliases = {name: str(version) for name, version in _table("aliases", table.get("aliases", {})).items()}

    def version(name: str) -> str:
        return aliases.get(name, name)

    given = _table("weights", table.get("weights", {}))
    weights = {version(name): _number(f"weights.{name}", weight) for name, weight in given.items()}
    if len(weights) != len(given):
        raise ValueError("weights has one version under two names; give it once")
    if weights and not (min(weights.values()) >= 0 < sum(weights.values()) < float("inf")):
        raise ValueError("weights must be 0 or more, and one of them above 0")
    share = _number("shadow_share", table.get("shadow_share", 0.0))
    if not 0 <= share <= 1:
        raise ValueError(f"shadow_share is {share}; give a share from 0 to 1")
    shadow = version(str(table["shadow"])) if "shadow" in table else None
    if shadow and (not share or weights.get(shadow)):
        raise ValueError("shadow needs a shadow_share, and no weight of its own")
    return Route(aliases, weights, shadow, share, _bounds(table.get("rollback")))


def _bounds(table: Any) -> Bounds | None:
    if table is None:
        return None
    bounds = build(Bounds, table, "rollback")
    if not (bounds.seconds > 0 and bounds.min_calls >= 1 and bounds.max_p99_ratio >= 1):
        raise ValueError("rollback needs seconds above 0, min_calls and max_p99_ratio of 1 or more")
    if math.isnan(bounds.max_error_share) or math.isnan(bounds.min_agreement):
        raise ValueError("rollback needs numbers for max_error_share and min_agreement")
    return bounds


def _number(what: str, value: Any) -> float:
    try:
        # A bool is an int to Python.
        number = float(value) if type(value) in (int, float) else math.nan
    except OverflowError:
        number = math.nan
    if math.isnan(number):
        raise ValueError(f"{what} is {value!r} and should be a number")
    return number


def _table(what: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{what} is {value!r} and should be a table")
    return value


def _require_known(table: Any, of: type) -> None:
    known = [one.name for one in fields(of)]
    if unknown := _table("it", table).keys() - set(known):
        raise ValueError(f"has {', '.join(sorted(unknown))}; known are {', '.join(known)}")
