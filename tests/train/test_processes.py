"""Two processes that train together, as torchrun starts them."""

import json
import subprocess
import sys
from pathlib import Path


def test_two_processes_share_the_batches_and_one_writes_the_run(
    tmp_path: Path, tiny_encoder: Path, tiny_data: Path
) -> None:
    out = tmp_path / "run"
    command = (
        *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"),
        *("-m", "strop", "train", str(tiny_data), "--model", str(tiny_encoder), "--out", str(out)),
        *("--batch-size", "8", "--epochs", "2", "--max-tokens", "32", "--threads", "1"),
        *("--learning-rate", "5e-3", "--adversarial", "fgm"),
    )
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("next: strop export") == 1
    assert json.loads((out / "run.json").read_text())["processes"] == 2
    rows = [json.loads(line) for line in (out / "history.jsonl").read_text().splitlines()]
    # 192 texts in batches of 8, every other batch: 12 steps an epoch.
    losses = [(row["step"], row["validation_loss"]) for row in rows if "validation_loss" in row]
    assert [step for step, _ in losses] == [12, 24]
    assert all(loss < 1.6 for _, loss in losses)  # a mean, about ln 3, and no sum over processes
