"""What a benchmark is asked to do: the only home of its options and their defaults."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from strop.errors import InputError

ProtocolName = Literal["typed", "open-inference"]
MAX_CALLS = 500_000
"""Calls in one phase: what the client can keep in memory without being the bottleneck."""


@Parameter(name="*")
@dataclass(frozen=True)
class BenchConfig:
    """What is driven, how hard, against which SLO, and what it is compared with."""

    address: str
    """Where the server listens, as host:port."""
    _: KW_ONLY
    texts: Path
    """JSONL with a text in each line, or two, and for the accuracy a label, in the columns of the model's
    task: the test split."""
    text_column: str | None = None
    """The column with the text. Default: what the task calls it."""
    pair_column: str | None = None
    """The column with the second text, of a model that judges two together. Default: text_pair."""
    label_column: str | None = None
    """The column with the label. Default: what the task calls it."""
    seconds: float = 30.0
    """Seconds of measuring: a third closed loop, the rest open loop. More gives steadier tails."""
    warmup_seconds: float = 3.0
    """Seconds of load before measuring starts. Raise it where the first calls are slow."""
    in_flight: int = 64
    """Calls kept in flight in the closed loop. Raise it until the rate no longer grows."""
    rate: float | None = None
    """Texts per second to offer in the open loop. Without it the search starts at 70 % of the
    closed-loop rate; with it only this rate, and lower ones if it fails the SLO, are tried."""
    arrivals: Literal["poisson", "constant", "trace"] = "poisson"
    """How the open loop spaces its calls: like independent users, evenly, or with the gaps between
    the `arrived` seconds of the texts, scaled to each rate."""
    slo_ms: float = 100.0
    """The SLO: 99 of 100 calls must be answered within this many milliseconds."""
    deadline_ms: float = 2000.0
    """Deadline sent with every call. Lower it to see the server shed work it can't finish."""
    texts_per_call: int = 1
    """Texts in one call. Raise it to measure bulk work."""
    protocol: ProtocolName = "typed"
    """The API to drive; only the typed one is sure to tell its stage times."""
    model: str = ""
    """The model's name; without it the only one that the server has."""
    task: str | None = None
    """What the model is for, such as text-classification; without it, what the server says. Servers
    other than Strop may not say it."""
    channels: int = 4
    """Connections. Raise it where the server runs several worker processes."""
    promise: Path | None = None
    """The served bundle's folder or manifest.json, to see accuracy beside what it promises."""
    machines: Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="")] = (
        "hf-aws-2vcpu",
        "aws-m7g.large",
        "jetson-orin-nano-super",
    )
    """Machines of the price book to cost. Name those that are like the one measured."""
    prices: Path | None = None
    """A TOML file of your own machines and prices, in the form of bench/prices/*.toml."""
    utilisation: float = 1.0
    """Share of the sustained rate in use on average. Lower it to what your traffic really is."""
    loadgen: Literal["single-stream", "server", "offline"] | None = None
    """Let MLPerf LoadGen drive instead, in this scenario: calls one after the other; Poisson
    arrivals at --rate, or at 70 % of a short closed loop; or all texts as fast as --in-flight lets
    them. Needs pip install 'strop[loadgen]'."""
    out: Path = Path("reports")
    """Folder for the report."""
    seed: int = 0
    """Seed of the order of texts and of the Poisson arrivals."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` naming the option, its value and the fix."""
        for flag, value in (
            ("--seconds", self.seconds),
            ("--in-flight", self.in_flight),
            ("--rate", 1 if self.rate is None else self.rate),
            ("--slo-ms", self.slo_ms),
            ("--deadline-ms", self.deadline_ms),
            ("--texts-per-call", self.texts_per_call),
            ("--channels", self.channels),
        ):
            if not 0 < value < float("inf"):
                raise InputError(f"{flag} is {value}; it must be above 0")
        if not 0 <= self.warmup_seconds < float("inf"):
            raise InputError(f"--warmup-seconds is {self.warmup_seconds}; it must be at least 0")
        if not 0 < self.utilisation <= 1:
            raise InputError(f"--utilisation is {self.utilisation}; it must be above 0 and at most 1")
        if not self.machines:
            raise InputError("--machines is empty; name at least one of the price book")
        if self.deadline_ms < self.slo_ms:
            raise InputError(
                f"--deadline-ms is {self.deadline_ms:g}, below --slo-ms {self.slo_ms:g}:"
                " late calls would be errors; raise the deadline"
            )
        if self.loadgen and self.texts_per_call != 1:
            raise InputError(f"--texts-per-call is {self.texts_per_call}; with --loadgen it must be 1")
        if (self.rate or 0) * self.seconds > MAX_CALLS * self.texts_per_call:
            raise InputError(
                f"--rate {self.rate:g} over --seconds {self.seconds:g} is more than {MAX_CALLS}"
                " calls; lower one of them"
            )

    @property
    def slo(self) -> float:
        """The SLO in seconds."""
        return self.slo_ms / 1000

    @property
    def deadline(self) -> float:
        """The deadline in seconds."""
        return self.deadline_ms / 1000
