"""A rival's process: started on a free port, waited for until it answers, ended with all its children."""

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

import strop
from strop.errors import StropError

from .apps.order import VARIABLE, Order
from .apps.ports import free_ports
from .batching import Batching
from .rival import Rival

READY_SECONDS = 180.0
"""On a busy machine importing torch alone takes a minute; who ends sooner is noticed at once."""
STOP_SECONDS = 15.0
POLL_SECONDS = 0.2
OFFLINE = {"HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1", "RAY_USAGE_STATS_ENABLED": "0"}
"""The model is on this disk, and nobody is to be told of it."""

ERROR = re.compile(r"[\w.]*(Error|Exception)\b")
"""How a line begins that Python ends a traceback with."""

Ask = Callable[[str], Awaitable[object]]
"""Asks whoever is at the address something; ``StropError`` while it doesn't answer."""


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    address: str
    pid: int


@dataclass(frozen=True)
class Material:
    """Where a rival finds the model."""

    bundle: Path
    variant: str
    """Of the bundle, whose graph is computed."""
    model: str
    """What the model is called."""
    folder: Path | None = None
    """The same model as a Hugging Face folder, for those that want one."""


@contextlib.asynccontextmanager
async def started(
    rival: Rival, python: str, material: Material, batching: Batching, ask: Ask
) -> AsyncIterator[Running]:
    """The rival on a free port until the block's end; ``StropError`` if it doesn't come to answer."""
    with tempfile.TemporaryDirectory(prefix="strop-rival-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        order = Order(
            bundle=str(material.bundle.resolve()),
            variant=material.variant,
            model=material.model,
            folder=str(material.folder or ""),
            port=free_ports(1)[0],
            instances=batching.instances,
            **asdict(batching),
        )
        # Only the package: our site-packages must not reach the rival's.
        (folder / "strop").symlink_to(Path(strop.__file__).resolve().parent)
        told = {
            "PYTHONPATH": name,
            "OMP_NUM_THREADS": str(batching.threads),
            VARIABLE: json.dumps(asdict(order)),
        }
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [python, "-m", rival.app],
                env=os.environ | OFFLINE | told,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
        address = f"127.0.0.1:{order.port}"
        try:
            await _answers(rival.name, process, lambda: ask(address), folder / "log")
            yield Running(address, process.pid)
        finally:
            _stop(process)


async def _answers(
    name: str, process: "subprocess.Popen[bytes]", ask: Callable[[], Awaitable[object]], log: Path
) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            await ask()
        except StropError as error:
            # An interrupt may be lost in a call that fails at that moment: gather tells the failure.
            if (task := asyncio.current_task()) and task.cancelling():
                raise asyncio.CancelledError from error
            if process.poll() is None and time.monotonic() < deadline:
                await asyncio.sleep(POLL_SECONDS)
                continue
            late = f" in {READY_SECONDS:.0f} s: {error}; its log" if process.poll() is None else ""
            raise StropError(f"{name} did not come up{late}: {_reason(log)}") from error
        return


def _reason(log: Path) -> str:
    """The last line that names an error, or else the last one."""
    said = log.read_text(encoding="utf-8", errors="replace").splitlines()
    lines = [line.strip() for line in reversed(said) if line.strip()]
    named = (line for line in lines if ERROR.match(line))
    return next(named, lines[0] if lines else "it said nothing")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    # Before it ends: some leave their group, and nobody's children can't be found any more.
    children: list[psutil.Process] = []
    with contextlib.suppress(psutil.NoSuchProcess):
        children = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for child in children:
        # psutil tells a process from a later one of the same number.
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()
    psutil.wait_procs(children, timeout=STOP_SECONDS)
