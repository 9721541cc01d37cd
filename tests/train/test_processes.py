"""Two processes that train together, as torchrun starts them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
# One start for both: each process takes five seconds to load torch and transformers.
SCRIPT = """
import os, runpy, signal, sys
from pathlib import Path
data, encoder, folder = sys.argv[1:]

sys.argv = ["strop", "train", data, "--model", encoder, "--out", folder + "/run", *(
    "--batch-size 8 --epochs 2 --max-tokens 32 --threads 1 --learning-rate 5e-3 --adversarial fgm".split()
)]
try:
    runpy.run_module("strop", run_name="__main__")
except SystemExit as end:
    assert not end.code, end.code

from transformers import TrainerCallback
from strop.train.config import TrainConfig
from strop.train.data.splits import load_splits
from strop.train.fine_tune import train_prepared
from strop.train.prepare import prepare
from strop.train.loop import InterruptError

class CtrlC(TrainerCallback):
    def on_step_begin(self, args, state, control, **_):
        if state.global_step == 16 and os.environ["RANK"] == "0":  # the other one hears of it later
            os.kill(os.getpid(), signal.SIGINT)

def trained(out, callbacks=()):
    config = TrainConfig(
        Path(data), model=encoder, out=Path(out), epochs=2, batch_size=8, max_tokens=32, threads=1,
        lora_dropout=0.1, precision="fp32",
    )
    splits = load_splits(config.data)
    ready = prepare(config, splits)
    found = train_prepared(ready, splits, config, callbacks)
    rows = [row["validation_loss"] for row in found.history if "validation_loss" in row]
    return rows, {name: one for name, one in ready.model.named_parameters() if one.requires_grad}

whole = trained(folder + "/whole")
try:
    trained(folder + "/parts", [CtrlC()])
except InterruptError as interrupt:
    assert "interrupted at step 17 of 24" in str(interrupt), interrupt
else:
    raise AssertionError("nothing was interrupted")
resumed = trained(folder + "/parts")
assert whole[0] == resumed[0]
assert whole[1].keys() == resumed[1].keys()
assert all((whole[1][name] == resumed[1][name]).all() for name in whole[1])
"""


Trained = tuple["subprocess.CompletedProcess[str]", Path]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, tiny_data: Path) -> Trained:
    """The end of the processes that went through the script, and the folder that they left."""
    folder = tmp_path_factory.mktemp("processes")
    script = folder / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    command = (*TORCHRUN, str(script), str(tiny_data), str(tiny_encoder), str(folder))
    return subprocess.run(command, capture_output=True, text=True, timeout=240), folder


def test_two_processes_share_the_batches_and_one_writes_the_run(trained: Trained) -> None:
    done, folder = trained
    assert done.stdout.count("next: strop export") == 1, done.stderr
    assert json.loads((folder / "run" / "run.json").read_text())["processes"] == 2
    rows = [json.loads(line) for line in (folder / "run" / "history.jsonl").read_text().splitlines()]
    # 192 texts in batches of 8, every other batch: 12 steps an epoch.
    losses = [(row["step"], row["validation_loss"]) for row in rows if "validation_loss" in row]
    assert [step for step, _ in losses] == [12, 24]
    assert all(loss < 1.6 for _, loss in losses)  # a mean, about ln 3, and no sum over processes


def test_two_processes_of_which_one_is_interrupted_stop_together_and_resume_exactly(
    trained: Trained,
) -> None:
    done, _ = trained
    assert done.returncode == 0, done.stderr
