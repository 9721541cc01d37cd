"""What the compression benchmark is asked to do: the only home of its options and their defaults."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from strop.errors import InputError
from strop.options import require_at_least


@Parameter(name="*")
@dataclass(frozen=True)
class CompressionConfig:
    """Which bundles are measured, and for how long."""

    _: KW_ONLY
    bundles: Annotated[tuple[Path, ...], Parameter(consume_multiple=True, negative="")] = (
        Path("demo/bundle"),
    )
    """Bundles that strop export wrote; without it, the demo's."""
    runs: Annotated[tuple[Path, ...], Parameter(consume_multiple=True, negative="")] = (Path("demo/run"),)
    """The run of each bundle, in the same order: PyTorch computes its model for comparison."""
    over_fp32: float | None = None
    """Smallest wanted ratio of the default variant's rate to fp32's in the same packed batches. For
    a model that was distilled from a larger one, whose share of fp32 tells what that won."""
    rounds: int = 5
    """How often each contender is measured, in turn. The median counts."""
    texts: int = 200
    """Test texts that each contender computes in a round."""
    out: Path = Path("bench/results")
    """Folder for the report."""
    seed: int = 0
    """Seed of the choice of texts."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` naming the option, its value and the fix."""
        require_at_least(self, rounds=1, texts=1, seed=0)
        if self.over_fp32 is not None and not self.over_fp32 > 0:
            raise InputError(f"--over-fp32 is {self.over_fp32}; it must be above 0")
        if len(self.bundles) != len(self.runs) or not self.bundles:
            raise InputError(
                f"--bundles names {len(self.bundles)} and --runs {len(self.runs)}; name one run for each"
            )
