"""Rivals that are paid by use: what a text costs there."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date
from pathlib import Path
from typing import Any, Literal, Self

from strop.cost import MILLION
from strop.errors import InputError

Unit = Literal["token", "character", "request"]


@dataclass(frozen=True)
class Volume:
    """The texts that are asked about."""

    lengths: Mapping[int, int]
    """Of a sample, how many have so many characters."""
    tokens: float
    """Of a text, on average."""
    per_month: float
    """Texts in 30 days."""


@dataclass(frozen=True)
class Api:
    """A service and its price: US dollars for a unit, the more units a month the less."""

    name: str
    title: str
    unit: Unit
    source: str
    seen: date | None = None
    """The day on which the source showed the price."""
    unit_size: int = 1
    """Tokens or characters in a unit; what is begun counts."""
    minimum_units: int = 0
    """Units that a text costs at least."""
    tiers: Sequence[tuple[float, float]] = field(default_factory=tuple)
    """(units a month up to which the price holds, US dollars per unit); the last bound is infinite."""
    overhead_tokens: int = 0
    """Tokens that go with every text, such as the instruction to a language model."""
    answer_tokens: int = 0
    """Tokens that come back, and are paid for."""
    dollars_per_answer_token: float = 0.0
    note: str = ""
    """What it leaves to do, or assumes."""

    @classmethod
    def from_entry(cls, entry: Mapping[str, Any], file: Path) -> Self:
        """One ``[[api]]`` of a price file; ``InputError`` says what is wrong with it."""
        where = f"{file}, api {entry.get('name', '?')!r}"
        known = {one.name for one in fields(cls)}
        if unknown := sorted(set(entry) - known):
            raise InputError(f"{where}: unknown key {unknown[0]!r}; keys: {', '.join(sorted(known))}")
        try:
            api = cls(
                **{**entry, "tiers": tuple((float(bound), float(price)) for bound, price in entry["tiers"])}
            )
            api._check()
        except (TypeError, ValueError, KeyError) as error:
            raise InputError(f"{where}: {error}") from error
        return api

    def _check(self) -> None:
        if self.unit not in ("token", "character", "request"):
            raise ValueError(f"unit is {self.unit!r}; give token, character or request")
        bounds = [bound for bound, _ in self.tiers]
        if not bounds or bounds != sorted(bounds) or bounds[-1] != math.inf:
            raise ValueError("tiers must rise and end with inf")
        if self.unit_size < 1 or min(price for _, price in self.tiers) < 0:
            raise ValueError("unit_size must be at least 1 and prices at least 0")

    def units(self, volume: Volume) -> float:
        """Units of a text, on average."""
        if self.unit == "request":
            return 1.0
        if self.unit == "token":
            return max(self.minimum_units, (volume.tokens + self.overhead_tokens) / self.unit_size)
        units = sum(
            max(self.minimum_units, math.ceil(length / self.unit_size)) * texts
            for length, texts in volume.lengths.items()
        )
        return units / sum(volume.lengths.values())

    def dollars_per_million(self, volume: Volume) -> float:
        """US dollars per million texts at that volume: the month's bill over its texts.

        Σ over tiers of units in the tier x its price, plus ``answer_tokens`` x their price a text.
        """
        units = self.units(volume) * volume.per_month
        bill, below = 0.0, 0.0
        for bound, price in self.tiers:
            bill += max(0.0, min(units, bound) - below) * price
            below = bound
        return MILLION * (bill / volume.per_month + self.answer_tokens * self.dollars_per_answer_token)
