"""What the engines benchmark is asked to do: the only home of its options and their defaults."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from strop.errors import InputError
from strop.options import require_at_least


@Parameter(name="*")
@dataclass(frozen=True)
class EnginesConfig:
    """Which bundle is measured, against which run, and for how long."""

    bundle: Path = Path("demo/bundle")
    """The bundle whose variants are run, each on its engine in this process."""
    _: KW_ONLY
    run: Path = Path("demo/run")
    """The run that it was exported from: PyTorch computes its model for comparison, and its test split
    is the texts."""
    variants: Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="")] = ()
    """Only these variants; without it, all that run here."""
    batch_tokens: Annotated[tuple[int, ...], Parameter(consume_multiple=True, negative="")] = ()
    """Token budgets of an engine's batch; the best of them counts. Default: 128 to 768 on a CPU, 1024 to
    16384 on a GPU."""
    batch_texts: Annotated[tuple[int, ...], Parameter(consume_multiple=True, negative="")] = ()
    """Texts of PyTorch's padded batch; the best of them counts. Default: 1 to 32 on a CPU, 32 to 512 on
    a GPU."""
    texts: int = 0
    """Texts that are worked off, again and again; those of the test split go round when they are fewer.
    0 means 512 on a CPU and 8192 on a GPU."""
    rounds: int = 7
    """How often each contender is measured, in turn. The median counts."""
    seconds: float = 1.0
    """How long each is measured in a round, at least; the texts are always worked off."""
    threads: int = 1
    """Threads that compute one batch on a CPU."""
    out: Path = Path("bench/results")
    """Folder for the report."""
    seed: int = 0
    """Seed of the choice of texts."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` naming the option, its value and the fix."""
        require_at_least(self, texts=0, rounds=1, threads=1, seed=0)
        if not 0 < self.seconds < float("inf"):
            raise InputError(f"--seconds is {self.seconds}; it must be above 0")
        for flag, sizes in (("--batch-tokens", self.batch_tokens), ("--batch-texts", self.batch_texts)):
            if any(size < 1 for size in sizes):
                raise InputError(f"{flag} is {min(sizes)}; it must be at least 1")
