"""The options of ``strop serve``."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Literal

from cyclopts import Parameter

from strop.errors import InputError
from strop.host import usable_cores
from strop.options import flag, require_at_least

from .address import split

LEAST_URGENT = 19


@Parameter(name="*")
@dataclass(frozen=True)
class ServeConfig:
    """What is served, where, and within which bounds."""

    bundle: Path
    """The bundle directory that strop export wrote."""
    _: KW_ONLY
    variant: str | None = None
    """The compressed form to serve, such as fp32 or int8; without it, the bundle's default. Take
    fp32 to compare answers, a smaller one for speed."""
    public_key: Path | None = None
    """Serve the bundle only if the owner of this public key, Ed25519 in PEM, has signed it (strop
    sign). Set it where others can reach the bundle on its way to the box. Needs pip install
    'strop[sign]'."""
    address: str = "127.0.0.1:8001"
    """Where gRPC listens, as host:port. 0.0.0.0 takes calls from other machines; port 0 takes any
    free port, which is printed."""
    metrics_address: str = "127.0.0.1:8002"
    """Where Prometheus reads /metrics over HTTP, as host:port."""
    workers: int = 1
    """Processes that answer on the one address, each with its own engines and queue; /metrics adds
    them up, and one that dies is replaced. Try more than 1 where one process is busy with calls
    rather than with the model, as on many cores. Connections, not calls, are spread over them: a
    client needs several channels (strop bench --channels)."""
    instances: int = 0
    """Batches computed at the same time in each worker; 0 means one for each core that may be used,
    divided by --threads and --workers. Fewer leave cores to whatever else runs on the box."""
    threads: int = 1
    """Threads that compute one batch. More than 1 makes a lone call faster and the whole server
    slower."""
    nice: int = 10
    """By how much the instances give way to the rest of the server, as the command nice has it, from 0
    to 19. More keeps calls taken and refused at once under overload; less computes faster beside other
    programs that want the same cores."""
    batch_tokens: int = 384
    """Tokens in a batch at most, padding included; a longer text goes alone. Batches grow to it only
    while more waits than the instances take in small ones. Fewer make calls under load wait less for
    the batch before them, more raise throughput a little, up to about 384 on x86."""
    batch_texts: int = 0
    """Texts in a batch at most; 0 sets no such bound, which is best where batches are packed."""
    layout: Literal["bundle", "padded"] = "bundle"
    """How texts share a batch: as the bundle's variant was made for, which on CPU is packed end to
    end, or padded to the longest of the batch, as most servers do; slower here, for comparison."""
    max_padding: float = 0.25
    """The part of a padded batch that may be padding; texts of other lengths wait for another
    batch. 1 takes texts as they come. Packed batches have no such padding."""
    queue_texts: int = 1024
    """Texts that may wait. Once full, calls are refused at once with RESOURCE_EXHAUSTED: less
    keeps the wait short, more rides out bursts. One connection may hold half of them."""
    queue_tokens: int = 32768
    """Tokens that may wait; it is the bound that counts where texts are long."""
    accept_backlog: int = 1000
    """Calls that may wait to be accepted at all, for a moment when they come faster than they can be
    refused. gRPC turns away some beyond it and all beyond twice as many, with CANCELLED and no hint.
    Set 64 where callers give up within a fraction of a second and may overload the server: it then
    answers hundreds of calls a second that it would otherwise accept too late. It turns away bursts
    of more calls than that at once, too."""
    max_message_bytes: int = 1048576
    """The largest request; a larger one is refused with RESOURCE_EXHAUSTED."""
    dollars_per_hour: float | None = None
    """What the machine costs in US dollars an hour: /metrics then tells what was spent since the start
    and what a million queries cost, now and on average. strop cost says it of the price book's machines;
    of a box that you own it is price / (years x 8760) + kilowatts x tariff."""
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
        require_at_least(
            self,
            workers=1,
            instances=0,
            threads=1,
            nice=0,
            batch_tokens=1,
            batch_texts=0,
            max_padding=0,
            queue_texts=2,
            queue_tokens=1,
            accept_backlog=1,
            max_message_bytes=1,
            notice_seconds=0,
            grace_seconds=0,
        )
        if self.queue_tokens < 2 * self.batch_tokens:
            raise InputError(
                f"--queue-tokens is {self.queue_tokens}; it must be at least twice --batch-tokens,"
                f" {self.batch_tokens}"
            )
        if self.dollars_per_hour is not None and not 0 < self.dollars_per_hour < float("inf"):
            raise InputError(f"--dollars-per-hour is {self.dollars_per_hour}; it must be above 0")
        if self.nice > LEAST_URGENT:
            raise InputError(f"--nice is {self.nice}; it is at most {LEAST_URGENT}")
        if self.max_padding > 1:
            raise InputError(f"--max-padding is {self.max_padding}; it is a part, at most 1")
        for name in ("address", "metrics_address"):
            try:
                split(getattr(self, name))
            except ValueError as error:
                raise InputError(f"{flag(name)}: {error}; write it like 127.0.0.1:8001") from error

        if self.otlp_endpoint is not None and not self.otlp_endpoint.startswith(("http://", "https://")):
            raise InputError(
                f"--otlp-endpoint is {self.otlp_endpoint!r}; write it like http://127.0.0.1:4317"
            )

    @property
    def instance_count(self) -> int:
        """Instances of each worker, with 0 resolved for this machine."""
        return self.instances or max(1, usable_cores() // (self.threads * self.workers))
