"""Training as a user runs it: refused, finished, stopped early, interrupted and resumed."""

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file

from strop.errors import InputError
from strop.train.command import train
from strop.train.config import TrainConfig
from strop.train.run import Run

EPOCHS = 8
STEPS = 24 * EPOCHS


def _command(config: TrainConfig) -> list[str]:
    """The command line of the long run."""
    return [
        *(sys.executable, "-m", "strop", "train", str(config.data), "--model", config.model),
        *("--out", str(config.out), "--epochs", str(EPOCHS), "--batch-size", "8", "--max-tokens", "32"),
        *("--threads", "1", "--patience", "99", "--lora-dropout", "0.1"),
    ]


def test_an_interrupted_run_resumes_to_the_result_of_one_that_never_was(
    config: TrainConfig, tmp_path: Path
) -> None:
    # Dropout is on: going on must take up the random state too.
    long = replace(config, epochs=EPOCHS, patience=99, lora_dropout=0.1)
    with subprocess.Popen(_command(long), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "validation loss" in line:
                break
        process.send_signal(signal.SIGINT)
        errors = process.stderr.read()
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    (message,) = (line for line in errors.splitlines() if line.startswith("strop: interrupted"))
    assert f"of {STEPS}; the checkpoint is kept: repeat the command with --resume" in message
    assert int(message.split("at step ")[1].split()[0]) < STEPS
    with pytest.raises(InputError, match="unfinished run"):
        Run.open(long.out)
    with pytest.raises(InputError, match="holds an unfinished run; add --resume to go on"):
        train(long)

    train(replace(long, resume=True))
    whole = replace(long, out=tmp_path / "whole")
    train(whole)
    resumed, never_interrupted = (
        load_file(run / "adapter" / "adapter_model.safetensors") for run in (long.out, whole.out)
    )
    assert resumed.keys() == never_interrupted.keys()
    assert all((resumed[name] == never_interrupted[name]).all() for name in resumed)


def test_every_weight_can_be_trained(config: TrainConfig) -> None:
    train(replace(config, method="full"))
    assert not (config.out / "adapter").exists()
    assert Run.open(config.out).merged_model().config.id2label[2] == "plain"


def test_training_stops_early_and_keeps_the_best_checkpoint(config: TrainConfig) -> None:
    # So small a learning rate changes no prediction: no evaluation beats the first.
    train(replace(config, epochs=30, learning_rate=1e-9, patience=2, evaluations_per_epoch=3))
    rows = [json.loads(line) for line in (config.out / "history.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "validation_loss" in row] == [8, 16, 24]


def test_a_single_file_is_split_and_its_label_names_are_kept(
    config: TrainConfig, tmp_path: Path, tiny_data: Path
) -> None:
    rows = "".join((tiny_data / f"{name}.jsonl").read_text() for name in ("train", "validation", "test"))
    one = tmp_path / "one.jsonl"
    one.write_text(rows.replace('"label": "good"', '"label": "très bon 🙂"'), encoding="utf-8")
    train(replace(config, data=one))
    run = Run.open(config.out)
    assert run.labels == ("bad", "plain", "très bon 🙂")
    assert [row["label"] for row in run.metrics["test"]["labels"]] == list(run.labels)


def test_a_model_is_judged_with_typing_errors_too(
    config: TrainConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    train(replace(config, epochs=6, learning_rate=5e-3, test_typos=1.0))
    run = Run.open(config.out)
    typos, clean = run.metrics["beside"]["typos"], run.metrics["test"]
    assert typos["reference_metrics"] == {name: clean[name] for name in run.task.metrics}
    # The tiny encoder spells what is no word that it knows.
    assert typos["metrics"]["accuracy"] < clean["accuracy"] - 0.2
    assert typos["change"]["accuracy"] == typos["metrics"]["accuracy"] - clean["accuracy"]
    assert "misspelt" in capsys.readouterr().out
    assert "| test split, 100% of its words misspelt |" in (config.out / "report.md").read_text()
    with pytest.raises(InputError, match=r"--test-typos is 1\.5; give a share from 0 to 1"):
        replace(config, test_typos=1.5)


def test_a_bad_model_leaves_no_run_behind(config: TrainConfig, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a folder"):
        train(replace(config, model=str(tmp_path / "none")))
    with pytest.raises(InputError, match=r"--max-tokens is 256, but .* takes at most 32"):
        train(replace(config, max_tokens=256))
    assert not config.out.exists()


def test_an_occupied_folder_is_refused(config: TrainConfig, tiny_run: Path) -> None:
    config.out.mkdir()
    (config.out / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="is not an empty folder; name another"):
        train(config)
    with pytest.raises(InputError, match="holds no unfinished run; leave out --resume"):
        train(replace(config, resume=True))
    with pytest.raises(InputError, match="holds a finished run; name another folder"):
        train(replace(config, out=tiny_run))
    assert [path.name for path in config.out.iterdir()] == ["notes.txt"]


def test_resuming_with_other_options_or_data_is_refused(
    config: TrainConfig, tmp_path: Path, tiny_data: Path
) -> None:
    from strop.train.draft import Draft

    model = str(Path(config.model).resolve())
    Draft.begin(config, model, "abc")
    resumed = replace(config, resume=True, threads=2)
    assert Draft.begin(resumed, model, "abc").checkpoints == config.out / "checkpoints"
    for changed, message in (
        ({"batch_size": 4}, "--batch-size is 4, but the run in .* began with --batch-size 8"),
        ({"label_smoothing": 0.1}, "--label-smoothing is 0.1, but the run in .* began with .* 0.0;"),
        ({"augment": ("typos",)}, "--augment is typos, but the run in .* began without it"),
        ({"compile": True}, "--compile is on, but the run in .* began without it"),
    ):
        with pytest.raises(InputError, match=message):
            Draft.begin(replace(resumed, **changed), model, "abc")
    with pytest.raises(InputError, match="the data changed since the run in"):
        Draft.begin(resumed, model, "abd")


def test_two_can_not_write_one_run(config: TrainConfig) -> None:
    from strop.train.draft import Draft

    first = Draft.begin(config, "model", "abc")
    resumed = replace(config, resume=True)
    written = r"--out .* is being written by another strop train; wait"
    # Also whoever didn't see that it had begun: --resume would be no way out.
    for second in (config, resumed):
        with pytest.raises(InputError, match=written):
            Draft.begin(second, "model", "abc")
    with pytest.raises(InputError, match=written):
        train(replace(config, data=Path("never read"), search=True))
    del first
    assert Draft.begin(resumed, "model", "abc").root == config.out
