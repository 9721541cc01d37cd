"""The options of ``strop export``; the only home of their defaults."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from strop.errors import InputError
from strop.options import require_at_least

from .precision import PRECISIONS

if TYPE_CHECKING:
    RecipeName = str
else:
    RecipeName = Literal[tuple(PRECISIONS)]

RECIPES_HELP = "\n".join(
    (
        "Compressed forms to try beside fp32, each behind the accuracy gate. --empty-recipes for none.\n",
        *(f"- {precision.name}: {precision.summary}" for precision in PRECISIONS.values()),
    )
)


@Parameter(name="*")
@dataclass(frozen=True)
class ExportConfig:
    """What to make of a run, and how good it must be."""

    run: Path
    """The run directory that strop train wrote."""
    _: KW_ONLY
    out: Path | None = None
    """Where the bundle goes; it must not exist yet. Default: bundles/NAME."""
    name: str | None = None
    """What the served model is called. Default: the run directory's name."""
    version: str = "1"
    """The served model's version; raise it when you export the same name again."""
    recipes: Annotated[tuple[RecipeName, ...], Parameter(help=RECIPES_HELP, show_choices=False)] = ("int8",)
    gate: float = 0.99
    """Smallest share of the fp32 accuracy a variant may keep. Lower it to trade accuracy for speed."""
    calibration_texts: int = 400
    """Training texts that set the int8 ranges. More takes longer; try 1000 if int8 fails the gate."""
    golden_examples: int = 32
    """Held-out texts sealed into the bundle and run again by every server before it says READY."""
    seed: int = 0
    """Chooses the calibration and golden texts; the same seed gives the same bundle."""

    def __post_init__(self) -> None:
        if not 0 < self.gate <= 1:
            raise InputError(f"--gate is {self.gate}; give a share above 0 and at most 1, such as 0.99")
        require_at_least(self, calibration_texts=1, golden_examples=1, seed=0)
        if not self.bundle_name.replace("-", "").replace("_", "").replace(".", "").isalnum():
            raise InputError(
                f"--name {self.bundle_name!r} can't name a model; use letters, digits, '.', '-' and '_'"
            )

    @property
    def bundle_name(self) -> str:
        """The served model's name."""
        return self.run.resolve().name if self.name is None else self.name

    @property
    def bundle_path(self) -> Path:
        """Where the bundle goes."""
        return Path("bundles") / self.bundle_name if self.out is None else self.out
