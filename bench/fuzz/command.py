"""``python -m strop.bench.fuzz``: options, a process a target, the real wire, table, report."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, asdict, dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal, get_args

from cyclopts import Parameter
from rich.console import Console

from strop.errors import InputError, StropError
from strop.export.bundle import Bundle
from strop.host import Host, read_host, read_versions
from strop.options import require_at_least

from ..grid import Grid, grid_markdown, show_grid
from ..written import check_folder, file_stem, to_json, write_files
from .fuzzed import Fuzzed
from .tally import CORPUS_FOLDER, TALLY_FILE
from .wire import over_the_wire

TargetName = Literal["requests", "files"]
SCHEMA = "strop.bench-fuzz/1"
PACKAGES = ("atheris", "grpcio", "numpy", "onnxruntime", "protobuf", "tokenizers")
HANG_SECONDS = 60
LONGEST_BYTES = 16384
# Two changes to an input at a time: more are refused at the first of them.
LIBFUZZER = (f"-timeout={HANG_SECONDS}", f"-max_len={LONGEST_BYTES}", "-mutate_depth=2")


@Parameter(name="*")
@dataclass(frozen=True)
class FuzzConfig:
    """What is fuzzed, how often, and where the report goes."""

    bundle: Path = Path("demo/bundle")
    """What answers the requests, and whose files are spoilt; the smaller its model, the more a second."""
    _: KW_ONLY
    targets: Annotated[tuple[TargetName, ...], Parameter(consume_multiple=True, negative="")] = get_args(
        TargetName
    )
    """What is fuzzed: requests, from bytes to status, and files, those of a bundle and the routes."""
    runs: int = 100_000
    """Inputs for each target."""
    wire: int = 10_000
    """Inputs for a real server over a real connection, of those that reached new code; 0 for none."""
    seed: int = 1
    """Of the choice of inputs."""
    keep: Path | None = None
    """A folder for corpus and findings; a second call goes on from its corpus."""
    out: Path = Path("bench/results")
    """Folder for the report."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` naming the option, its value and the fix."""
        require_at_least(self, runs=1, wire=0, seed=1)
        if not self.targets or len(set(self.targets)) < len(self.targets):
            raise InputError(f"--targets is {' '.join(self.targets)!r}; name each once")
        check_folder(self.out)


def fuzz(config: FuzzConfig | None = None) -> None:
    """Fuzz the server's handlers and the readers of its files; print the table and save it.

    Ends with ``StropError`` when an input broke a promise; each stands in the report and, with
    ``--keep``, in a file of its own.
    """
    config = config or FuzzConfig()
    if find_spec("atheris") is None:
        raise InputError("fuzzing needs the Python package 'atheris'; pip install 'strop[fuzz]'")
    if "files" in config.targets:
        Bundle.open(config.bundle)
    console = Console()
    with tempfile.TemporaryDirectory(prefix="strop-fuzz-") as scratch:
        keep = config.keep or Path(scratch)
        found: dict[str, Fuzzed] = {
            name: _fuzz_target(config, name, keep / name, console) for name in config.targets
        }
        if config.wire and "requests" in found:
            console.print("over the wire")
            inputs = [path.read_bytes() for path in sorted((keep / "requests" / CORPUS_FOLDER).iterdir())]
            found["wire"] = asyncio.run(over_the_wire(config.bundle, inputs, config.wire, config.seed))
    created, host = datetime.now().astimezone(), read_host()
    grid = _grid(found)
    show_grid(grid, console)
    console.print(
        f"report: {_write(config, found, grid, created, host)} and .json", markup=False, soft_wrap=True
    )
    if wrong := [message for fuzzed in found.values() for message in fuzzed.findings.values()]:
        raise StropError(f"{len(wrong)} promises were broken, first: {wrong[0]}")


def _fuzz_target(config: FuzzConfig, name: TargetName, folder: Path, console: Console) -> Fuzzed:
    """Run libFuzzer on a target to its end; what ends the process before it is a finding, too."""
    console.print(f"{name}: {config.runs:,} inputs")
    folder.mkdir(parents=True, exist_ok=True)
    words = [
        sys.executable,
        "-m",
        "strop.bench.fuzz.worker",
        name,
        config.bundle.resolve(),
        folder.resolve(),
    ]
    words += [
        f"-runs={config.runs}",
        f"-seed={config.seed}",
        f"-artifact_prefix={folder.resolve()}/",
        *LIBFUZZER,
    ]
    done = subprocess.run([str(word) for word in words], stderr=subprocess.PIPE, text=True, check=False)
    try:
        tally = json.loads((folder / TALLY_FILE).read_text(encoding="utf-8"))
    except OSError as error:
        raise StropError(f"{name} could not be fuzzed: {done.stderr.strip()[-500:]}") from error
    findings = dict(tally["findings"])
    if done.returncode:
        findings["process"] = f"the process ended with {done.returncode}: {done.stderr.strip()[-500:]}"
    coverage = [line for line in done.stderr.splitlines() if " cov: " in line][-1].split()
    return Fuzzed(
        **{key: tally[key] for key in ("inputs", "seconds", "slowest_seconds", "outcomes")},
        branches=int(coverage[coverage.index("cov:") + 1]),
        corpus=int(coverage[coverage.index("corp:") + 1].partition("/")[0]),
        findings=findings,
    )


def _grid(found: Mapping[str, Fuzzed]) -> Grid:
    def row(name: str, fuzzed: Fuzzed) -> tuple[str, ...]:
        broken = fuzzed.outcomes.get("finding", 0)
        return (
            name,
            f"{fuzzed.inputs:,}",
            f"{fuzzed.seconds:,.0f}",
            f"{fuzzed.branches:,}" if fuzzed.branches else "–",
            f"{fuzzed.corpus:,}",
            f"{1e3 * fuzzed.slowest_seconds:,.0f}",
            f"{len(fuzzed.findings)} ({broken} inputs)" if fuzzed.findings else "none",
        )

    return Grid(
        "Inputs that nobody would write",
        ("target", "inputs", "seconds", "branches", "corpus", "slowest, ms", "broken"),
        [row(name, fuzzed) for name, fuzzed in found.items()],
        "Branches of Strop's code that some input took. Promises that would be broken: no crash, no hang,"
        " no INTERNAL, and a refusal names the thing and the fix.",
    )


def _outcomes(name: str, fuzzed: Fuzzed) -> Grid:
    ranked = sorted(fuzzed.outcomes.items(), key=lambda one: -one[1])
    return Grid(f"How {name} ended", ("outcome", "inputs"), [(key, f"{count:,}") for key, count in ranked])


def _write(
    config: FuzzConfig, found: Mapping[str, Fuzzed], grid: Grid, created: datetime, host: Host
) -> Path:
    """Write ``<date>T<time>-<host>-fuzz.json`` and ``.md``; returns the page."""
    versions = read_versions(PACKAGES)
    facts = {
        "schema": SCHEMA,
        "created": created.isoformat(),
        "host": asdict(host) | {"load": os.getloadavg()[0]},
        "versions": dict(versions),
        "config": asdict(config),
        "targets": {name: asdict(fuzzed) for name, fuzzed in found.items()},
    }
    parts: Sequence[str] = (
        "# Fuzzing",
        f"{created:%Y-%m-%d %H:%M} · {config.bundle.name} · {host} · seed {config.seed}",
        ", ".join(f"{name} {version}" for name, version in versions.items()),
        grid_markdown(grid),
        *(f"- {message}" for fuzzed in found.values() for message in fuzzed.findings.values()),
        *(grid_markdown(_outcomes(name, fuzzed)) for name, fuzzed in found.items()),
    )
    texts = {"json": to_json(facts), "md": "\n\n".join(parts) + "\n"}
    return write_files(config.out, file_stem(created, host, "fuzz"), texts)
