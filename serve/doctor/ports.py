"""The addresses: whether a server could listen there, or one of ours already does."""

import contextlib
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass

from strop.errors import InputError, StropError

from ..address import check_free
from ..health import ask
from .finding import Finding, fail, ok

PATIENCE_SECONDS = 1.0


@dataclass(frozen=True)
class Port:
    """One address."""

    flag: str
    address: str
    fault: str | None
    """Why nothing more can listen there."""
    ours: str | None
    """What a Strop that listens there says of itself."""


def read_ports(address: str, metrics_address: str) -> tuple[Port, ...]:
    """Try to listen where ``serve --address`` and ``--metrics-address`` would."""
    return (
        _port("--address", address, _health(address)),
        _port("--metrics-address", metrics_address, _metrics(metrics_address)),
    )


def judge_ports(ports: tuple[Port, ...]) -> Iterator[Finding]:
    """Whether the server would come up, or is up."""
    for port in ports:
        if port.fault is None:
            yield ok(port.flag, f"{port.address} is free")
        elif port.ours is not None:
            yield ok(port.flag, f"{port.address} answers: {port.ours}")
        else:
            found, _, fix = port.fault.partition("; ")
            yield fail(port.flag, found.removeprefix(f"{port.flag} "), fix)


def _port(flag: str, address: str, ours: Iterator[str]) -> Port:
    try:
        check_free(flag, address)
    except InputError as error:
        return Port(flag, address, str(error), next(ours, None))
    return Port(flag, address, None, None)


def _health(address: str) -> Iterator[str]:
    with contextlib.suppress(StropError):
        yield ask(address, "strop.v1.Strop", PATIENCE_SECONDS)


def _metrics(address: str) -> Iterator[str]:
    with (
        contextlib.suppress(OSError, ValueError),
        urllib.request.urlopen(f"http://{address}/metrics", timeout=PATIENCE_SECONDS) as page,
    ):
        if b"\nstrop_" in page.read():
            yield "metrics of a strop serve"
