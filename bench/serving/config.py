"""What the serving benchmark is asked to do: the only home of its options and their defaults."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args

from cyclopts import Parameter

from strop.errors import InputError
from strop.options import require_at_least

PartName = Literal[
    "efficiency", "padding", "mlserver", "overload", "mixed", "fairness", "repository", "soak"
]


@Parameter(name="*")
@dataclass(frozen=True)
class ServingConfig:
    """Which parts are measured, on what, and for how long."""

    _: KW_ONLY
    bundle: Path = Path("demo/bundle")
    """The bundle to serve; without it, the demo's."""
    texts: Path = Path("demo/data/test.jsonl")
    """JSONL with a `text` in each line; without it, the demo's test split."""
    parts: Annotated[tuple[PartName, ...], Parameter(consume_multiple=True, negative="")] = get_args(
        PartName
    )
    """What to measure, in this order. Name some to leave the others out; mlserver builds an
    environment of its own on first use, soak takes the longest."""
    variant: str | None = None
    """The variant whose figures are held against the targets; without it, fp32. The other variants
    are then measured in the efficiency part too, for comparison."""
    rounds: int = 5
    """How often each contender is measured, in turn. The median counts."""
    seconds: float = 8.0
    """Seconds of each measurement. More gives steadier rates and tails."""
    burst_seconds: float = 60.0
    """Seconds of three-fold overload in each round of the overload part."""
    swaps: int = 20
    """Versions that are exchanged under load in the repository part."""
    swap_seconds: float = 15.0
    """Seconds of load round each of them, and of as much load without."""
    soak_minutes: float = 15.0
    """Minutes of the soak, after its warm-up."""
    serve_config: Path | None = None
    """A TOML file that every Strop server reads, such as strop tune writes."""
    out: Path = Path("bench/results")
    """Folder for the report."""
    seed: int = 0
    """Seed of the choice of texts, their order, the arrivals and the soak's faults."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` naming the option, its value and the fix."""
        require_at_least(
            self, rounds=1, seconds=0.1, burst_seconds=0.1, swaps=1, swap_seconds=0.1, soak_minutes=0.01
        )
        if not self.parts:
            raise InputError(f"--parts is empty; name some of {', '.join(get_args(PartName))}")
