"""The suite: each training in a process of its own, in turns, the report saved after each round."""

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from strop.errors import StropError
from strop.host import read_host, read_versions

from ..targets.report import TargetReport
from ..targets.rows import Row, Target
from ..targets.turns import turns
from .config import TrainingConfig

PACKAGES = ("accelerate", "peft", "torch", "transformers")
UTILISATION = Target("at least", 0.40)
"""Of mpnet-base on a GPU, all of it trained in bf16 on texts of 128 tokens."""
CPU = "CPU"


def run_suite(config: TrainingConfig) -> None:
    """Measure every model and method, show the table and save it.

    Raises ``StropError`` when a training fails, and at the end when a target is missed.
    """
    console = Console()
    contenders = {
        f"{Path(model).name}, {method}": {"model": model, "method": method}
        for model in config.models
        for method in config.methods
    }
    measured: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    report: TargetReport | None = None
    with console.status("") as status:
        for name, where in turns(config.rounds, contenders):
            status.update(where)
            measured[name].append(_train(config, contenders[name]))
            report = report or _report(config, measured[name][0])
            report.parts[name] = rows_of(name, measured[name], config)
            page = report.write()
    assert report is not None  # noqa: S101 - there is a round
    report.show(console)
    console.print(f"report: {page} and .json", markup=False, soft_wrap=True)
    if report.missed:
        raise StropError(report.verdict)


def rows_of(name: str, found: Sequence[Mapping[str, Any]], config: TrainingConfig) -> list[Row]:
    """What one model and method showed, with its target where it has one."""
    first = found[0]
    targeted = (
        name == "mpnet-base, full"
        and first["device"] != CPU
        and first["precision"] == "bf16"
        and (config.tokens, config.shortest) == (128, 0)
    )
    peak = f"{first['peak_flops_per_second'] / 1e12:,.3g} TFLOP/s of {first['precision']}"
    return [
        Row(f"{name}: texts' tokens", [one["tokens_per_second"] for one in found], unit="tokens/s"),
        Row(f"{name}: with padding", [one["computed_tokens_per_second"] for one in found], unit="tokens/s"),
        Row(
            f"{name}: model FLOP utilisation",
            [one["flop_utilisation"] for one in found],
            UTILISATION if targeted else None,
            note=f"of the {peak} that a large matrix product was measured at in the first round",
        ),
    ]


def _report(config: TrainingConfig, first: Mapping[str, Any]) -> TargetReport:
    lengths = f"{config.shortest} to {config.tokens}" if config.shortest else str(config.tokens)
    return TargetReport(
        schema="strop.bench-train/1",
        title="Training against its targets",
        created=datetime.now().astimezone(),
        host=read_host(),
        load=os.getloadavg()[0],
        versions=read_versions(PACKAGES),
        config=config,
        setting=f"{first['device']}, {first['precision']}, batches of {config.batch_size} texts of"
        f" {lengths} random tokens{', compiled' if config.compile else ''}",
    )


def _train(config: TrainingConfig, contender: Mapping[str, str]) -> Mapping[str, Any]:
    """What the training stage says of one; it is a process of its own, which loads torch."""
    shared = ("precision", "tokens", "shortest", "batch_size", "steps", "compile", "threads")
    fields = dict(contender) | {name: getattr(config, name) for name in shared}
    command = (sys.executable, "-m", "strop.train.benchmark", json.dumps(fields))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise StropError(f"{contender['model']} could not be trained by {contender['method']}: {reason}")
    found: Mapping[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
