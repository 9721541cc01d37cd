"""The options of ``strop cost``; the only home of their defaults."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from strop.errors import InputError
from strop.options import flag

Names = Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="")]


@Parameter(name="*")
@dataclass(frozen=True)
class CostConfig:
    """What a measured rate is worth: against which machines and services, at which demand."""

    report: Path
    """A report of strop bench (its .json), for the rate that was sustained within the SLO."""
    _: KW_ONLY
    machines: Names = ("hf-aws-2vcpu", "aws-m7g.large", "jetson-orin-nano-super")
    """Machines of the price book. Each is taken to be as fast as the one measured, and the tables say
    so, unless --rates knows better."""
    rates: Names = ()
    """Rates that you know of machines, in queries per second: aws-g6.xlarge=2100."""
    apis: Names = (
        "google-natural-language",
        "aws-comprehend",
        "openai-embedding-3-small",
        "gpt-5-nano",
        "ministral-3b",
    )
    """Services of the price book to compare with."""
    demand: str = "flat:10"
    """Queries per second over a day: flat:RATE, or a file with 24 numbers, one for each hour."""
    elastic: bool = False
    """Rented machines are started and stopped each hour as the demand goes; else they run all day."""
    discount: float = 0.0
    """Share taken off rented machines, for spot or reserved ones: 0.6 is 60 % off."""
    tokens_per_text: float | None = None
    """Tokens of a text as services count them. Default: a quarter of its characters, which OpenAI
    gives as a rule of thumb for English."""
    years: float = 3.0
    """Over which owned and rented are compared."""
    market_price: float | None = None
    """Your price now, in US dollars per million queries: with --elasticity it shows which price earns
    most. The demand is what is bought at that price."""
    elasticity: float = 1.5
    """By how many per cent fewer queries are bought when the price rises by one per cent."""
    prices: Path | None = None
    """A TOML file of your own machines and services, in the form of bench/prices/*.toml."""
    out: Path | None = None
    """Folder for cost.json and cost.md. Default: beside the report."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` naming the option, its value and the fix."""
        for name in ("years", "tokens_per_text", "market_price", "elasticity"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                raise InputError(f"{flag(name)} is {value}; it must be above 0")
        if not 0 <= self.discount < 1:
            raise InputError(f"--discount is {self.discount}; give a share from 0 to below 1")
        if not self.machines:
            raise InputError("--machines is empty; name at least one of the price book")
