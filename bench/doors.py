"""What the doors cost: one bundle behind TLS, client certificates and keys, measured in turns.

Run as ``python -m strop.bench.doors BUNDLE TEXTS``. Needs pip install 'strop[bench,sign]'.
"""

import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import KW_ONLY, asdict, dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from statistics import fmean

import cyclopts
import uvloop
from cyclopts import Parameter
from rich.console import Console

from strop.access import AccessOptions
from strop.errors import StropError
from strop.export.bundle import Bundle
from strop.host import read_host
from strop.options import require_at_least

from .certificates import Authority
from .client import Client
from .columns import Columns
from .confidence import CONFIDENCE, mean_ratio
from .discovery import discover
from .grid import Grid, digits, grid_markdown, ms, show_grid
from .protocols import WIRES
from .server_process import ServerProcess
from .serving.traffic import CHANNELS, IN_FLIGHT, Calls, Steady, alternate, encode, steady
from .serving.usage import Usage
from .texts import read_texts
from .written import check_folder, file_stem, to_json, write_files

SCHEMA = "strop.bench-doors/1"
OPEN = "open"
TEXTS = 512


@Parameter(name="*")
@dataclass(frozen=True)
class DoorsConfig:
    """What is served, and how long each way in is measured."""

    bundle: Path
    """A bundle of single texts."""
    texts: Path
    """JSONL with a text in each line."""
    _: KW_ONLY
    rounds: int = 5
    """Turns of each; more give a narrower interval."""
    seconds: float = 6.0
    """Seconds of a turn: half with one call in flight, for latency, and half with many, for the rate."""
    out: Path = Path("reports")
    """Folder for the report."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` naming the option, its value and the fix."""
        require_at_least(self, rounds=2, seconds=1)


@dataclass(frozen=True)
class Way:
    """A way in: how the server is locked, and how the client gets in."""

    server: Sequence[object]
    access: AccessOptions


@dataclass(frozen=True)
class Turn:
    """One turn of one way."""

    alone: Steady
    """One call in flight."""
    many: Steady


def ways(folder: Path) -> Mapping[str, Way]:
    """Every way in, by name, with certificates and keys in ``folder``."""
    authority = Authority(folder)
    (certificate, key), (client, client_key) = authority.issue("server"), authority.issue("client")
    keys, secret = folder / "keys.toml", folder / "key"
    # Through the command line, as everybody makes one: bench knows nothing of serve.
    secret.write_text(_new_key(keys), encoding="utf-8")
    tls = ("--tls-certificate", certificate, "--tls-key", key)
    mutual = (*tls, "--tls-client-ca", authority.file)
    trusting = AccessOptions(ca=authority.file)
    known = AccessOptions(ca=authority.file, certificate=client, key=client_key)
    return {
        OPEN: Way((), AccessOptions()),
        "keys": Way(("--keys", keys), AccessOptions(api_key_file=secret)),
        "TLS": Way(tls, trusting),
        "mTLS": Way(mutual, known),
        "mTLS, keys, access log": Way(
            (*mutual, "--keys", keys, "--access-log", folder / "access.jsonl"),
            AccessOptions(ca=authority.file, certificate=client, key=client_key, api_key_file=secret),
        ),
    }


def _new_key(keys: Path) -> str:
    words = [sys.executable, "-m", "strop", "keys", "new", str(keys), "--id", "bench"]
    words += ["--scopes", "infer", "admin"]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()


def doors(config: DoorsConfig) -> None:
    """Measure each way in turns, show and save it; raises as ``ServerProcess`` and ``Client``."""
    check_folder(config.out)
    console, host, created, load = Console(), read_host(), datetime.now().astimezone(), os.getloadavg()[0]
    with console.status("starting") as status, tempfile.TemporaryDirectory(prefix="strop-") as folder:
        turns = uvloop.run(measure(config, ways(Path(folder)), status.update))
    grid = table(turns)
    show_grid(grid, console)
    stem = file_stem(created, host, "doors")
    page = [
        f"# What the doors cost: {config.bundle.name}",
        f"{created:%Y-%m-%d %H:%M} · {host} · load before: {load:.1f}",
    ]
    record = {
        "schema": SCHEMA,
        "created": created.isoformat(),
        "host": asdict(host) | {"load_before": load},
        "config": asdict(config),
        "turns": {name: [asdict(turn) for turn in of] for name, of in turns.items()},
    }
    texts = {"json": to_json(record), "md": "\n\n".join([*page, grid_markdown(grid)]) + "\n"}
    console.print(f"report: {write_files(config.out, stem, texts)}", markup=False, soft_wrap=True)


async def measure(
    config: DoorsConfig, entries: Mapping[str, Way], say: Callable[[str], None]
) -> dict[str, list[Turn]]:
    """Turns of each way by its name; all servers run all the time, and one has load."""
    task = Bundle.open(config.bundle).task
    texts = [text[0] for text in read_texts(config.texts, Columns.of(task, 1)).texts[:TEXTS]]
    async with AsyncExitStack() as stack:
        contenders = {}
        for name, way in entries.items():
            server = stack.enter_context(ServerProcess(config.bundle, *way.server))
            client = Client(server.address, channels=CHANNELS, deadline=60.0, access=way.access)
            await stack.enter_async_context(client)
            wire = WIRES["typed"](await discover(client, "", None))
            contenders[name] = partial(
                _turn, client, wire.method, encode(wire, texts), Usage(server.pid), config.seconds
            )
        return await alternate(config.rounds, contenders, say)


async def _turn(
    client: Client, method: str, requests: Sequence[bytes], usage: Usage, seconds: float
) -> Turn:
    calls = Calls(
        lambda number: client.call(method, requests[number]), itertools.cycle(range(len(requests)))
    )
    return Turn(
        await steady(calls, 1, seconds / 2, usage), await steady(calls, IN_FLIGHT, seconds / 2, usage)
    )


def table(turns: Mapping[str, Sequence[Turn]]) -> Grid:
    """A row for each way: its figures, and its rate and latency over those of the open server."""
    rows, base = [], turns[OPEN]
    for name, of in turns.items():
        rate = mean_ratio([turn.many.rate for turn in of], [turn.many.rate for turn in base])
        alone = mean_ratio([turn.alone.p50 for turn in of], [turn.alone.p50 for turn in base])
        rows.append(
            (
                name,
                ms(fmean(turn.alone.p50 for turn in of)),
                _ratio(alone),
                digits(fmean(turn.many.rate for turn in of)),
                _ratio(rate),
            )
        )
    note = (
        f"p50 with one call in flight; texts/s with {IN_FLIGHT} over {CHANNELS} connections, client on the"
        f" same cores; {len(base)} rounds in turns. Ratios to the open server, with {CONFIDENCE:.0%}"
        " intervals: bootstrap over the rounds."
    )
    return Grid("what the doors cost", ("way in", "p50, ms", "ratio", "texts/s", "ratio"), rows, note)


def _ratio(found: tuple[float, tuple[float, float]]) -> str:
    ratio, (low, high) = found
    return f"{ratio:.3f} ({low:.3f} – {high:.3f})"


if __name__ == "__main__":
    try:
        cyclopts.run(doors)
    except StropError as error:
        sys.exit(f"strop.bench.doors: {error}")
