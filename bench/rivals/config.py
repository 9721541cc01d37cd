"""What the comparison with rivals is asked to do: the only home of its options and their defaults."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Annotated, Literal, get_args

from cyclopts import Parameter

from strop.errors import InputError
from strop.options import require_at_least

RivalName = Literal[
    "pytorch", "onnxruntime", "openvino", "mlserver", "litserve", "mosec", "pytriton", "ray", "infinity"
]


@Parameter(name="*")
@dataclass(frozen=True)
class RivalsConfig:
    """Who is measured beside Strop, on what, and for how long."""

    _: KW_ONLY
    bundle: Path = Path("demo/bundle")
    """The bundle to serve; without it, the demo's. Rivals compute its fp32 graph."""
    run: Path = Path("demo/run")
    """The run that the bundle came from; without it, the demo's. PyTorch and infinity load its model."""
    texts: Path = Path("demo/data/test.jsonl")
    """JSONL with a `text` in each line; without it, the demo's test split."""
    rivals: Annotated[tuple[RivalName, ...], Parameter(consume_multiple=True, negative="")] = get_args(
        RivalName
    )
    """Who is measured. Name some to leave the others out. Each but pytorch and onnxruntime builds an
    environment of its own on first use, which takes minutes and up to gigabytes."""
    prepare: bool = False
    """Only make the environments, for a comparison later: nothing is measured."""
    rounds: int = 3
    """How often each contender is started and measured, in turn. More narrow the intervals."""
    seconds: float = 20.0
    """Seconds of each measurement: a quarter at a rate that all can answer, the rest as of strop bench,
    a third of that closed loop, two thirds open loops."""
    trial_seconds: float = 4.0
    """Seconds of trying each setting of a rival. More finds its best one more surely."""
    slo_ms: float = 100.0
    """The SLO: 99 of 100 calls must be answered within this many milliseconds."""
    machine: str = "hf-aws-2vcpu"
    """The machine of the price book whose hour is divided by the rates."""
    prices: Path | None = None
    """A TOML file of your own machines and prices, in the form of bench/prices/*.toml."""
    out: Path = Path("bench/results")
    """Folder for the report."""
    seed: int = 0
    """Seed of the choice of texts, of their order and of the arrivals."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` naming the option, its value and the fix."""
        require_at_least(self, rounds=1, seconds=0.1, trial_seconds=0.1, slo_ms=0.1, seed=0)
        if not self.rivals:
            raise InputError(f"--rivals is empty; name some of {', '.join(get_args(RivalName))}")
        if len(set(self.rivals)) < len(self.rivals):
            raise InputError(f"--rivals {' '.join(self.rivals)} names one twice; leave it out")

    @property
    def slo(self) -> float:
        """The SLO in seconds."""
        return self.slo_ms / 1000
