"""The options of ``strop tune``; the only home of their defaults."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from strop.errors import InputError
from strop.options import require_at_least


@Parameter(name="*")
@dataclass(frozen=True)
class TuneConfig:
    """What is tuned, for which texts and SLO, and how long that may take."""

    bundle: Path
    """The bundle directory that strop export wrote."""
    _: KW_ONLY
    texts: Path
    """JSONL with a text in each line, or two, as your callers send them. If the lines also have
    `arrived`, in seconds, the load keeps the gaps of that trace instead of independent users' gaps."""
    text_column: str | None = None
    """The column with the text. Default: what the task calls it."""
    pair_column: str | None = None
    """The column with the second text, of a model that judges two together. Default: text_pair."""
    slo_ms: float = 100.0
    """The SLO: 99 of 100 calls must be answered within this many milliseconds."""
    variant: str | None = None
    """The compressed form to serve, such as fp32 or int8; without it, the bundle's default."""
    minutes: float = 5.0
    """Minutes of load, all settings together; starting a server for each trial comes on top, and a
    model too slow for 100 calls in its share takes longer. More tells settings apart that are close."""
    batch_tokens: Annotated[tuple[int, ...], Parameter(consume_multiple=True, negative="")] = (
        128,
        256,
        384,
        512,
    )
    """Bounds of a batch to try. Fewer leave more time to each; try larger ones where texts are long."""
    out: Path = Path("tuned.toml")
    """The file for strop serve --config; it must not exist yet."""
    seed: int = 0
    """Seed of the order of texts and of the Poisson arrivals."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` naming the option, its value and the fix."""
        for flag, value in (("--slo-ms", self.slo_ms), ("--minutes", self.minutes)):
            if not 0 < value < float("inf"):
                raise InputError(f"{flag} is {value}; it must be above 0")
        if not self.batch_tokens or min(self.batch_tokens) < 1:
            raise InputError(f"--batch-tokens is {self.batch_tokens}; give numbers of at least 1")
        require_at_least(self, seed=0)

    @property
    def slo(self) -> float:
        """The SLO in seconds."""
        return self.slo_ms / 1000
