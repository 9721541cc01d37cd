"""What a benchmark is asked to do: the only home of its options and their defaults."""

import os
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from strop.access import OPEN, AccessOptions
from strop.errors import InputError

from .lengths import parse_lengths

ProtocolName = Literal["typed", "open-inference"]
MAX_CALLS = 500_000
"""Calls in one phase: what the client can keep in memory without being the bottleneck."""


@Parameter(name="*")
@dataclass(frozen=True)
class BenchConfig:
    """What is driven, how hard, against which SLO, and what it is compared with."""

    address: str
    """Where the server listens, as host:port; with --endpoint a URL up to there will do, too."""
    _: KW_ONLY
    texts: Path | None = None
    """JSONL with a text in each line, or two, and for the accuracy a label, in the columns of the model's
    task: the test split."""
    lengths: str | None = None
    """Ask synthetic texts of these lengths instead, in tokens: fixed:32, uniform:8:64 or
    lognormal:median=20,p99=128. Their words are those of --texts, or of the vocabulary without. For a load
    that you expect and have no texts of. Needs --promise, whose tokenizer counts."""
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
    arrivals: Literal["poisson", "constant", "burst", "trace"] = "poisson"
    """How the open loop spaces its calls: like independent users, evenly, in bursts with nothing between
    them, or with the gaps of a trace, scaled to each rate."""
    burst_factor: float = 4.0
    """With --arrivals burst: how many times the mean rate a burst has. It lasts that part of a period."""
    burst_seconds: float = 1.0
    """With --arrivals burst: the period, from one burst's beginning to the next."""
    trace: Path | None = None
    """With --arrivals trace: a CSV (also .gz) with the times of arrivals, in seconds or ISO 8601, in a
    column `arrived`, `arrival_s` or `timestamp`, else the first. Default: the `arrived` seconds of the
    texts."""
    ramp: Annotated[tuple[float, float, int] | None, Parameter(negative="")] = None
    """Instead of the search: texts per second of the first and of the last step, and how many steps; for
    the whole curve of latency against throughput."""
    repeats: int = 1
    """How often the sustained rate is measured, to see how much repeats differ. Raise it to trust a small
    difference."""
    soak_seconds: float = 0.0
    """Seconds of a soak after all else: a constant load, and what drifts meanwhile."""
    soak_share: float = 0.8
    """The soak's load, as a share of the sustained rate."""
    server_pid: int | None = None
    """The server's process, if it is on this machine: with --soak-seconds its memory, and its children's,
    is watched, and of several GPUs those are metered on which it computes. Needs
    pip install 'strop[bench]'."""
    slo_ms: float = 100.0
    """The SLO: 99 of 100 calls must be answered within this many milliseconds."""
    max_errors: float = 0.0
    """Share of the calls that may fail at a rate that counts as sustained, such as 0.001."""
    deadline_ms: float = 2000.0
    """Deadline sent with every call. Lower it to see the server shed work it can't finish."""
    texts_per_call: int = 1
    """Texts in one call. Raise it to measure bulk work."""
    protocol: ProtocolName = "typed"
    """The API to drive; only the typed one is sure to tell its stage times."""
    tokenizer: Path | None = None
    """With --protocol open-inference: send token ids, which this folder's tokenizer makes before any
    load. A bundle or a Hugging Face model folder; its labels name the logits of a server that gives no
    labels, such as an ONNX graph on Triton."""
    endpoint: Path | None = None
    """A TOML file that declares an HTTP endpoint, which is then driven at ADDRESS: its `path`, its
    JSON `request` and where `label` and `score` lie in the reply; see bench/rivals/endpoints. For
    classifiers served by something else than Strop."""
    model: str = ""
    """The model's name; without it the only one that the server has."""
    task: str | None = None
    """What the model is for, such as text-classification; without it, what the server says. Servers
    other than Strop may not say it."""
    channels: int = 4
    """Connections. Raise it where the server runs several worker processes."""
    clients: int | None = None
    """Client processes that share the load. Default: one, and twice as many for as long as the client,
    not the server, is the limit and there are cores for them: half of them where the server is here."""
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
    against: str | None = None
    """Where another server listens, as host:port: both are measured in turns, with the same load, and the
    ratios are told. For a change of a few per cent, which two separate runs can't show."""
    rounds: int = 7
    """With --against: turns of each. More give a narrower interval."""
    loadgen: Literal["single-stream", "server", "offline"] | None = None
    """Let MLPerf LoadGen drive instead, in this scenario: calls one after the other; Poisson
    arrivals at --rate, or at 70 % of a short closed loop; or all texts as fast as --in-flight lets
    them. Needs pip install 'strop[loadgen]'."""
    out: Path = Path("reports")
    """Folder for the report."""
    seed: int = 0
    """Seed of the order of texts and of the Poisson arrivals."""
    access: Annotated[AccessOptions, Parameter(name="*")] = OPEN

    def __post_init__(self) -> None:
        """Raise ``InputError`` naming the option, its value and the fix."""
        if self.endpoint and self.access != OPEN:
            raise InputError(
                "--ca, --certificate and --api-key-file are for gRPC; leave them out with --endpoint"
            )
        for flag, value in (
            ("--seconds", self.seconds),
            ("--in-flight", self.in_flight),
            ("--rate", 1 if self.rate is None else self.rate),
            ("--slo-ms", self.slo_ms),
            ("--deadline-ms", self.deadline_ms),
            ("--texts-per-call", self.texts_per_call),
            ("--channels", self.channels),
            ("--burst-seconds", self.burst_seconds),
            ("--repeats", self.repeats),
            ("--rounds", self.rounds),
            ("--clients", 1 if self.clients is None else self.clients),
        ):
            if not 0 < value < float("inf"):
                raise InputError(f"{flag} is {value}; it must be above 0")
        if not 0 <= self.warmup_seconds < float("inf"):
            raise InputError(f"--warmup-seconds is {self.warmup_seconds}; it must be at least 0")
        self._check_texts()
        self._check_shape()
        if not 0 <= self.max_errors < 1:
            raise InputError(f"--max-errors is {self.max_errors}; it must be at least 0 and below 1")
        if not 0 < self.utilisation <= 1:
            raise InputError(f"--utilisation is {self.utilisation}; it must be above 0 and at most 1")
        if not self.machines:
            raise InputError("--machines is empty; name at least one of the price book")
        if self.deadline_ms < self.slo_ms:
            raise InputError(
                f"--deadline-ms is {self.deadline_ms:g}, below --slo-ms {self.slo_ms:g}:"
                " late calls would be errors; raise the deadline"
            )
        self._check_modes()
        if (self.rate or 0) * self.seconds > MAX_CALLS * self.texts_per_call:
            raise InputError(
                f"--rate {self.rate:g} over --seconds {self.seconds:g} is more than {MAX_CALLS}"
                " calls; lower one of them"
            )

    def _check_texts(self) -> None:
        if self.lengths is None:
            if self.texts is None:
                raise InputError("--texts is missing; name a file of texts, or give --lengths")
            return
        parse_lengths(self.lengths)
        if self.promise is None:
            raise InputError(f"--lengths {self.lengths} needs --promise, the bundle whose tokenizer counts")
        if self.label_column:
            raise InputError(f"--label-column {self.label_column}: synthetic texts have none; leave it out")
        if self.arrivals == "trace" and self.trace is None:
            raise InputError("--arrivals trace: synthetic texts have no arrivals; give --trace")

    def _check_modes(self) -> None:
        """Options that another one leaves no room for."""
        if self.tokenizer and (self.protocol != "open-inference" or self.endpoint):
            raise InputError(f"--tokenizer {self.tokenizer} is for --protocol open-inference; give that")
        if self.endpoint and (self.model or self.task):
            option = "--model" if self.model else "--task"
            raise InputError(f"{option} is for gRPC servers; with --endpoint leave it out")
        if self.loadgen and self.texts_per_call != 1:
            raise InputError(f"--texts-per-call is {self.texts_per_call}; with --loadgen it must be 1")
        if self.against and (self.loadgen or self.ramp or self.soak_seconds or self.repeats > 1):
            raise InputError(
                f"--against {self.against} leaves no room for --loadgen, --ramp, --repeats and"
                " --soak-seconds; leave them out"
            )
        if self.loadgen and (self.clients or 1) > 1:
            raise InputError(f"--clients is {self.clients}; with --loadgen it must be 1")

    def _check_shape(self) -> None:
        if not 1 < self.burst_factor < float("inf"):
            raise InputError(f"--burst-factor is {self.burst_factor}; it must be above 1")
        if self.trace and self.arrivals != "trace":
            raise InputError(f"--trace {self.trace}: --arrivals is {self.arrivals}; it must be trace")
        if not 0 <= self.soak_seconds < float("inf"):
            raise InputError(f"--soak-seconds is {self.soak_seconds}; it must be at least 0")
        if self.server_pid is not None and not Path(f"/proc/{self.server_pid}").exists():
            raise InputError(f"--server-pid is {self.server_pid}; there is no such process here")
        if not 0 < self.soak_share <= 1:
            raise InputError(f"--soak-share is {self.soak_share}; it must be above 0 and at most 1")
        cores = os.cpu_count() or 1
        if self.clients and self.clients > min(cores, self.channels, self.in_flight):
            raise InputError(
                f"--clients is {self.clients}; there are {cores} cores, and each client needs one of"
                f" --channels {self.channels} and of --in-flight {self.in_flight}"
            )
        if self.ramp:
            first, last, count = self.ramp
            if not (0 < first < last < float("inf") and count > 1):
                raise InputError(
                    f"--ramp is {first:g} {last:g} {count}; give a rate above 0, a higher one, and at"
                    " least 2 steps"
                )
            if self.rate:
                raise InputError(f"--rate is {self.rate:g}; leave it out with --ramp")

    @property
    def api(self) -> str:
        """What is driven, by name."""
        return "http-json" if self.endpoint else self.protocol

    @property
    def source(self) -> str:
        """Where the texts come from, for a reader."""
        name = self.texts.name if self.texts else "the vocabulary"
        return f"words of {name}, {self.lengths} tokens" if self.lengths else name

    @property
    def slo(self) -> float:
        """The SLO in seconds."""
        return self.slo_ms / 1000

    @property
    def deadline(self) -> float:
        """The deadline in seconds."""
        return self.deadline_ms / 1000
