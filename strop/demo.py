"""``strop demo``: the whole line on real sentences, each stage run as a user would run it."""

import shutil
import subprocess
import sys
import time
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from cyclopts import Parameter
from rich.console import Console

from .bench.server_process import ServerProcess
from .errors import InputError, StropError
from .options import require_at_least

QUESTIONS = (
    "A warm, funny and moving film that earns every one of its tears.",
    "The battery died after two days and nobody answers my e-mails.",
    "The committee meets again on Thursday at nine.",
    "not bad at all, but I wouldn't watch it twice",
)
MARKER = ".strop-demo"


@Parameter(name="*")
@dataclass(frozen=True)
class DemoConfig:
    """How long the demo may take, and where it works."""

    _: KW_ONLY
    out: Path = Path("demo")
    """Where the demo works; its data, run, bundle and reports folders are made anew each time."""
    epochs: int = 1
    """Passes over the training split. Each takes as long as the first."""
    bench_seconds: float = 30.0
    """Seconds of load on the server."""

    def __post_init__(self) -> None:
        require_at_least(self, epochs=1, bench_seconds=3)


def demo(config: DemoConfig | None = None) -> None:
    """Train, export, serve and cost a sentiment model on this machine, in about ten minutes."""
    config = config or DemoConfig()
    started = time.monotonic()
    data, run, bundle, reports = _emptied(config.out)
    encoder = _stage("data", "encoder", capture=True).strip().splitlines()[-1]
    _stage("data", "sentiment", "--out", data)
    _stage(
        *("train", data, "--model", encoder, "--out", run),
        *("--epochs", config.epochs, "--evaluations-per-epoch", 2),
    )
    _stage("export", run, "--out", bundle, "--name", "sentiment")
    _announce("serve")
    with ServerProcess(bundle, show=True) as server:
        _stage("query", server.address, *QUESTIONS, "--protocol", "both")
        _stage(
            *("bench", server.address, "--texts", data / "test.jsonl", "--promise", bundle),
            *("--seconds", config.bench_seconds, "--out", reports),
        )
    minutes, seconds = divmod(round(time.monotonic() - started), 60)
    Console().print(f"[bold]demo finished in {minutes} min {seconds} s, nothing left running[/]")


def _emptied(out: Path) -> list[Path]:
    """The demo's folders under ``out``, without an earlier demo's content.

    Raises ``InputError`` when ``out`` holds something that no demo left there.
    """
    if out.exists() and not (out / MARKER).exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"--out {out} holds something else than a demo; name another folder")
    out.mkdir(parents=True, exist_ok=True)
    (out / MARKER).touch()
    folders = [out / name for name in ("data", "run", "bundle", "reports")]
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    return folders


def _stage(*arguments: object, capture: bool = False) -> str:
    """Run one sub-command in its own process; ``StropError`` when it fails."""
    words = [str(argument) for argument in arguments]
    _announce(words[0])
    done = subprocess.run(
        [sys.executable, "-m", "strop", *words], stdout=subprocess.PIPE if capture else None, text=True
    )
    if done.returncode != 0:
        raise StropError(f"strop {words[0]} ended with exit code {done.returncode}; see above")
    return done.stdout or ""


def _announce(command: str) -> None:
    Console().rule(f"[bold]strop {command}", align="left")
