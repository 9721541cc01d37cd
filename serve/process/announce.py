"""What the server says when it is ready: to a person, a script and a service manager."""

import json
import logging
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from strop.errors import InputError
from strop.staging import replace_file

from ..config import ServeConfig
from .notify import notify

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServedModel:
    """One version of a model, and what computes it."""

    name: str
    version: str
    labels: tuple[str, ...]
    variant: str
    provider: str
    instances: int
    batch_tokens: int
    passed_over: Mapping[str, str] = field(default_factory=dict)
    """Why another provider isn't used, by its name."""


@dataclass(frozen=True)
class Served:
    """What a ready process serves."""

    models: tuple[ServedModel, ...]

    @property
    def on_gpu(self) -> bool:
        """Whether any of them is computed elsewhere than on the CPU."""
        return any("CPU" not in model.provider for model in self.models)


@dataclass(frozen=True)
class Addresses:
    """Where calls are taken, as host:port."""

    calls: str
    admin: str | None = None
    """For admin calls, where they have an address of their own."""


@dataclass(frozen=True)
class Ready:
    """Where a ready server is found."""

    address: str
    metrics_address: str
    pid: int
    admin_address: str | None = None

    def write(self, path: Path) -> None:
        """Write it as JSON; whoever sees the file sees all of it. ``InputError`` when it can't be."""
        told = {name: value for name, value in asdict(self).items() if value is not None}
        try:
            replace_file(path, json.dumps(told) + "\n")
        except OSError as error:
            raise InputError(
                f"--ready-file {path} can't be written: {error.strerror}; make room, or name another file"
            ) from error


def prepare_ready(path: Path | None) -> None:
    """Take away what an earlier server left: until this one is ready, nobody is to read that it is.

    ``InputError`` when it can't be, or when no file can be written there, which would else be known only
    once all is loaded and said to be ready.
    """
    if path is None:
        return
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            f"--ready-file {path} can't be replaced: {error.strerror}; name another file"
        ) from error
    try:
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise InputError(
            f"--ready-file {path} can't be written: {error.strerror}; make its folder, or name another file"
        ) from error


def announce(served: Served, config: ServeConfig, addresses: Addresses, metrics_address: str) -> None:
    """Print what is served and where, write the ready file if one is asked for, tell systemd."""
    table = Table.grid(padding=(0, 2))
    each = "" if config.workers == 1 else f" in each of {config.workers} workers"
    for model in served.models:
        table.add_row("model", f"{model.name} {model.version}: {', '.join(model.labels)}")
        table.add_row("variant", f"{model.variant} on {model.provider}")
        for provider, reason in model.passed_over.items():
            table.add_row(f"not {provider}", Text(reason))
        table.add_row("engines", f"{model.instances}{each}, each of {config.threads} thread(s)")
        table.add_row("batch", f"at most {model.batch_tokens} tokens")
    if not served.models:
        table.add_row("model", "none yet")
    site = f"http{'s' * bool(config.tls_certificate)}://{metrics_address}"
    for name, value in (
        ("gRPC", f"{addresses.calls}{_locks(config)}"),
        ("admin", addresses.admin),
        ("metrics", f"{site}/metrics"),
        ("console", f"{site}/"),
    ):
        if value is None:
            continue
        table.add_row(name, value)
    _say(table)
    if config.ready_file is not None:
        Ready(addresses.calls, metrics_address, os.getpid(), addresses.admin).write(config.ready_file)
    notify("READY=1")


def _locks(config: ServeConfig) -> str:
    locks = {
        "TLS": config.tls_certificate,
        "client certificates": config.tls_client_ca,
        "API keys": config.keys,
    }
    return "".join(f", {name}" for name, given in locks.items() if given)


def _say(table: Table) -> None:
    """Print it, unless nobody can hear: a full disk or a closed pipe is no reason not to serve."""
    try:
        console = Console(soft_wrap=True, markup=False)
        console.print("strop serve is ready")
        console.print(table)
        console.file.flush()
    except OSError as error:
        log.warning("standard output can't be written: %s", error.strerror)
        # What is left of it would be tried again, in vain, when the interpreter ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
