"""The options of ``strop serve``."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Literal

from cyclopts import Parameter

from strop.errors import InputError
from strop.options import require_at_least

from .address import require_address, require_apart
from .console.options import ConsoleOptions
from .doors.listening import unlocked
from .doors.options import DoorOptions, LimitOptions
from .engines.options import EngineOptions
from .feedback.options import FeedbackOptions
from .repository.options import RepositoryOptions
from .scheduling.options import SchedulingOptions


@dataclass(frozen=True)
class BasicOptions:
    """What is served, where, and how it ends."""

    bundle: str
    """The bundle directory that strop export wrote, or a model repository: a directory of
    name/version/ bundles, or its URL (s3://…, https://…, file://…; needs pip install 'strop[remote]')."""
    _: KW_ONLY
    public_key: Path | None = None
    """Serve the bundle only if the owner of this public key, Ed25519 in PEM, has signed it (strop
    sign). Set it where others can reach the bundle on its way to the box. Needs pip install
    'strop[sign]'."""
    address: str = "127.0.0.1:8001"
    """Where gRPC listens, as host:port. 0.0.0.0 takes calls from other machines, and wants TLS and a
    lock; port 0 takes any free port, which is printed."""
    metrics_address: str = "127.0.0.1:8002"
    """Where Prometheus reads /metrics over HTTP, and people the console at /, as host:port."""
    accept_backlog: int = 1000
    """Calls that may wait to be accepted at all, for a moment when they come faster than they can be
    refused. gRPC turns away some beyond it and all beyond twice as many, with CANCELLED and no hint.
    Set 64 where callers give up within a fraction of a second and may overload the server: it then
    answers hundreds of calls a second that it would otherwise accept too late. It turns away bursts
    of more calls than that at once, too."""
    dollars_per_hour: float | None = None
    """What the machine costs in US dollars an hour: /metrics then tells what was spent since the start
    and what a million queries cost, now and on average. strop cost says it of the price book's machines;
    of a box that you own it is price / (years x 8760) + kilowatts x tariff."""
    tariff: float | None = None
    """US dollars per kilowatt-hour: where a GPU serves, /metrics then tells what its electricity costs per
    million queries, beside the joules of each. Leave it out where --dollars-per-hour pays for that, too."""
    notice_seconds: float = 0.0
    """After the first SIGTERM or interrupt, go on taking calls this long with health already
    NOT_SERVING. Set it to twice the interval at which your load balancer asks."""
    grace_seconds: float = 10.0
    """After the notice, how long calls under way may take to finish; then they are cancelled and
    the exit code is 1. A second signal ends the server at once."""
    ready_file: Path | None = None
    """Written once the server is ready: JSON with address, metrics_address and pid. For scripts
    that chose port 0."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """How much goes to standard error, one JSON object a line. Errors are logged; debug logs every
    call too. A line about a call tells its id, or else its x-request-id, or else its trace."""
    otlp_endpoint: str | None = None
    """Where traces go: an OpenTelemetry collector that takes OTLP over gRPC, such as
    http://127.0.0.1:4317. A call that brings a traceparent continues its trace; the standard OTEL_
    variables set sampling and the like. Needs pip install 'strop[otel]'."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` naming the option, its value and the fix."""
        require_at_least(self, accept_backlog=1, notice_seconds=0, grace_seconds=0)
        if self.dollars_per_hour is not None and not 0 < self.dollars_per_hour < float("inf"):
            raise InputError(f"--dollars-per-hour is {self.dollars_per_hour}; it must be above 0")
        if self.tariff is not None and not 0 <= self.tariff < float("inf"):
            raise InputError(f"--tariff is {self.tariff}; give US dollars per kilowatt-hour, such as 0.15")
        require_address("--address", self.address)
        require_address("--metrics-address", self.metrics_address)
        if self.otlp_endpoint is not None and not self.otlp_endpoint.startswith(("http://", "https://")):
            raise InputError(
                f"--otlp-endpoint is {self.otlp_endpoint!r}; write it like http://127.0.0.1:4317"
            )


@Parameter(name="*")
@dataclass(frozen=True)
class ServeConfig(
    FeedbackOptions,
    LimitOptions,
    DoorOptions,
    RepositoryOptions,
    SchedulingOptions,
    EngineOptions,
    ConsoleOptions,
    BasicOptions,
):
    """What is served, where, and within which bounds."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` naming the option, its value and the fix."""
        BasicOptions.__post_init__(self)
        EngineOptions.__post_init__(self)
        SchedulingOptions.__post_init__(self)
        RepositoryOptions.__post_init__(self)
        FeedbackOptions.__post_init__(self)
        DoorOptions.__post_init__(self)
        LimitOptions.__post_init__(self)
        if self.console_try and (self.keys or self.tls_certificate):
            raise InputError("--console-try asks without a key or TLS; leave it out of a locked server")
        if self.admin_address is not None and self.workers > 1:
            raise InputError("--admin-address reaches one worker alone; leave it out, or use --workers 1")
        require_apart(self.listens)
        if self.unlocked and not self.insecure_listen:
            raise InputError(
                f"{self.unlocked}; give them, or --insecure-listen if something else guards the network"
            )
        if self.model_control == "explicit" and self.workers > 1:
            raise InputError("--model-control explicit reaches one worker alone; use poll, or --workers 1")

    @property
    def listens(self) -> dict[str, str]:
        """Every address that it listens on, by its flag."""
        given = {
            "--address": self.address,
            "--metrics-address": self.metrics_address,
            "--admin-address": self.admin_address,
        }
        return {flag: address for flag, address in given.items() if address is not None}

    @property
    def unlocked(self) -> str:
        """What others can reach although it isn't locked; empty if there is nothing."""
        return unlocked(self.listens, self)
