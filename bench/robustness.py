"""What adversarial training and augmentation do to accuracy on clean and on misspelt texts.

Run as ``python -m strop.bench.robustness DATA --model MODEL``. Each setting is trained once for each seed
by ``strop train``; runs that are there already are read, so that a second call goes on where one stopped.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, asdict, dataclass
from datetime import datetime
from pathlib import Path
from statistics import mean, stdev
from typing import Annotated

import cyclopts
from cyclopts import Parameter
from rich.console import Console

from strop.errors import InputError, StropError
from strop.host import read_host, read_versions
from strop.options import require_at_least
from strop.train.run import CONFIG_FILE, RUN_FILE, Run

from .grid import Grid, grid_markdown, show_grid
from .written import file_stem, to_json, write_files

SCHEMA = "strop.bench-robustness/1"
PACKAGES = ("numpy", "peft", "tokenizers", "torch", "transformers")
PLAIN = "plain"
SETTINGS: Mapping[str, tuple[str, ...]] = {
    PLAIN: (),
    "fgm": ("--adversarial", "fgm"),
    "pgd": ("--adversarial", "pgd"),
    "r-drop": ("--r-drop", "1"),
    "synonyms": ("--augment", "synonyms"),
    "eda": ("--augment", "synonyms", "insert", "swap", "delete"),
    "typos": ("--augment", "typos"),
    "typos+fgm": ("--augment", "typos", "--adversarial", "fgm"),
}
"""What is compared: the options of ``strop train`` by name."""


@Parameter(name="*")
@dataclass(frozen=True)
class RobustnessConfig:
    """What is trained on what, how often."""

    data: Path
    """A folder with train, validation and test files, as for strop train."""
    _: KW_ONLY
    model: str
    """The encoder that every run starts from."""
    settings: Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="")] = tuple(SETTINGS)
    """Which of the settings; the first is what the others are compared with."""
    seeds: int = 3
    """Runs of each setting, with the seeds 0, 1, …"""
    typos: float = 0.1
    """Share of the test texts' words that are misspelt for the second score."""
    train_config: Path | None = None
    """A TOML file whose section [train] holds for every run, such as epochs or max_tokens."""
    runs: Path = Path("runs/robustness")
    """Where the runs go, and are looked for."""
    out: Path = Path("bench/results")
    """Folder for the report."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` naming the option, its value and the fix."""
        require_at_least(self, seeds=1)
        if not 0 < self.typos <= 1:
            raise InputError(f"--typos is {self.typos}; give a share above 0, such as 0.1")
        if not self.settings or len(set(self.settings)) < len(self.settings):
            raise InputError(f"--settings is {' '.join(self.settings)!r}; name each setting once")
        for name in self.settings:
            if name not in SETTINGS:
                raise InputError(f"--settings {name} is not known; give some of {', '.join(SETTINGS)}")


@dataclass(frozen=True)
class Trial:
    """What one run came to."""

    clean: float
    """The task's first metric on the test split."""
    typos: float
    """The same on its misspelt texts."""
    seconds: float
    """Of training."""
    data_sha256: str

    @classmethod
    def read(cls, folder: Path) -> "Trial":
        """Of a finished run; ``InputError`` when it was trained without ``--test-typos``."""
        run = Run.open(folder)
        metric = run.task.metrics[0]
        if "typos" not in run.metrics.get("beside", {}):
            raise InputError(f"{folder} was not judged with typing errors; remove it or give other --runs")
        record = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))
        return cls(
            run.metrics["test"][metric],
            run.metrics["beside"]["typos"]["metrics"][metric],
            record["training"]["seconds"],
            run.data_sha256,
        )


def robustness(config: RobustnessConfig) -> None:
    """Train every setting with every seed, then print the table and save it.

    Raises ``StropError`` when a training fails or a folder in ``--runs`` is of other data; what was
    trained before stays.
    """
    console = Console()
    trials: dict[str, list[Trial]] = {name: [] for name in config.settings}
    for seed in range(config.seeds):
        for name in config.settings:
            trials[name].append(_trial(config, name, seed, console))
    hashes = {trial.data_sha256 for found in trials.values() for trial in found}
    if len(hashes) > 1:
        raise InputError(f"the runs in {config.runs} are of different data; give another --runs")
    metric = Run.open(_folder(config, config.settings[0], 0)).task.metrics[0]
    grid = compare(trials, metric, config.typos)
    show_grid(grid, console)
    console.print(f"report: {_write(config, trials, grid)} and .json", markup=False, soft_wrap=True)


def compare(trials: Mapping[str, Sequence[Trial]], metric: str, typos: float) -> Grid:
    """The table: mean and sample standard deviation over the seeds; changes are taken seed by seed."""
    first = next(iter(trials))
    rows = []
    for name, found in trials.items():
        row = [name]
        for values, others in (
            ([trial.clean for trial in found], [trial.clean for trial in trials[first]]),
            ([trial.typos for trial in found], [trial.typos for trial in trials[first]]),
        ):
            changes = [value - other for value, other in zip(values, others, strict=True)]
            row += [spread(values), "–" if name == first else spread(changes, "+")]
        rows.append((*row, f"{mean(trial.seconds for trial in found):,.0f}"))
    return Grid(
        f"{metric}, clean and with {typos:.0%} of the words misspelt",
        ("setting", "clean", f"over {first}", "misspelt", f"over {first}", "seconds"),
        rows,
        f"Mean ± standard deviation over {len(trials[first])} seeds on the same test texts.",
    )


def spread(values: Sequence[float], sign: str = "") -> str:
    """Mean ± sample standard deviation, where there are two values."""
    return f"{mean(values):{sign}.4f}" + (f" ± {stdev(values):.4f}" if len(values) > 1 else "")


def _trial(config: RobustnessConfig, name: str, seed: int, console: Console) -> Trial:
    """Train one setting with one seed, unless it is there."""
    folder = _folder(config, name, seed)
    if not (folder / RUN_FILE).is_file():
        console.rule(f"[bold]{folder.name}", align="left")
        given = ("--config", str(config.train_config)) if config.train_config else ()
        resume = ("--resume",) if (folder / CONFIG_FILE).is_file() else ()
        command = (
            *(sys.executable, "-m", "strop", *given, "train", str(config.data), "--model", config.model),
            *("--out", str(folder), "--seed", str(seed), "--test-typos", str(config.typos)),
            *SETTINGS[name],
            *resume,
        )
        if done := subprocess.run(command, check=False).returncode:
            raise StropError(f"strop train ended with exit code {done} for {folder}; see above")
    return Trial.read(folder)


def _folder(config: RobustnessConfig, name: str, seed: int) -> Path:
    return config.runs / f"{name}-seed-{seed}"


def _write(config: RobustnessConfig, trials: Mapping[str, Sequence[Trial]], grid: Grid) -> Path:
    """Write ``<date>T<time>-<host>-robustness.json`` and ``.md``; returns the page."""
    created, host, versions = datetime.now().astimezone(), read_host(), read_versions(PACKAGES)
    options = [f"- {name}: {' '.join(SETTINGS[name]) or 'no further options'}" for name in trials]
    facts = {
        "schema": SCHEMA,
        "created": created.isoformat(),
        "host": asdict(host) | {"load": os.getloadavg()[0]},
        "versions": dict(versions),
        "config": asdict(config),
        "settings": {name: SETTINGS[name] for name in trials},
        "trials": {name: [asdict(trial) for trial in found] for name, found in trials.items()},
    }
    parts = (
        "# Adversarial training and augmentation",
        f"{created:%Y-%m-%d %H:%M} · {config.data.name}, {Path(config.model).name} · {host}",
        ", ".join(f"{name} {version}" for name, version in versions.items()),
        grid_markdown(grid),
        "\n".join(options),
    )
    texts = {"json": to_json(facts), "md": "\n\n".join(parts) + "\n"}
    return write_files(config.out, file_stem(created, host, "robustness"), texts)


if __name__ == "__main__":
    try:
        cyclopts.run(robustness)
    except StropError as error:
        sys.exit(f"error: {error}")
