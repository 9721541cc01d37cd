"""The search for better options: where it looks, what it gives up, how it goes on, and what it ends in."""

import json
import math
import multiprocessing
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strop.cli import main
from strop.errors import InputError, StropError
from strop.tasks import TASKS
from strop.train.command import train
from strop.train.config import TrainConfig
from strop.train.data.splits import load_splits
from strop.train.methods import METHODS
from strop.train.run import Run
from strop.train.search.report import SearchReport
from strop.train.search.search import HOPELESS, is_time_for_more
from strop.train.search.space import Choice, Range, Space, given_values, search_space
from strop.train.search.study import ENOUGH, Study, Trial
from strop.train.search.trial import run_trial

SPACE: Space = {
    "learning_rate": Range(1e-4, 1e-2, log=True),
    "epochs": Range(2, 6),
    "batch_size": Choice((8, 16)),
}
GIVEN = {"learning_rate": 1e-3, "epochs": 3, "batch_size": 8}


def _config(**options: Any) -> TrainConfig:
    return TrainConfig(Path("data"), **({"model": "model", "out": Path("run")} | options))


@pytest.fixture
def config(config: TrainConfig) -> TrainConfig:
    """A search on the tiny data, begun from options that leave something to find."""
    return replace(config, epochs=2, learning_rate=2e-3, search=True, trials=2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"minutes": 0.0}, "--minutes is 0.0; it must be above 0"),
        ({"minutes": math.nan}, "--minutes is nan"),
        ({"trials": 0}, "--trials is 0; it must be at least 1"),
        ({"minutes": 5.0}, "--minutes is 5.0, and nothing is searched; add --search"),
        ({"space": {"method": ["lora"]}}, "--space.method can't be searched; give some of epochs, "),
        ({"space": {"seed": ["1"]}}, "--space.seed can't be searched"),
        ({"space": {"lora-rank": ["4", "x"]}}, "--space.lora-rank is 'x'; give a whole number"),
        (
            {"space": {"lora_rank": ["0", "8"]}},
            "--space.lora-rank: --lora-rank is 0; it must be at least 1",
        ),
        (
            {"space": {"learning_rate": ["1", "inf"]}},
            "--space.learning-rate is 'inf'; give a finite number",
        ),
        ({"space": {"learning_rate": ["1", "0.5"]}}, "goes from 1 to 0.5; give the lower end first"),
        ({"space": {"class_weights": ["some"]}}, "is 'some'; give some of none, balanced"),
        ({"space": {"epochs": []}}, "--space.epochs has no values"),
        ({"space": {"virtual_tokens": ["5"]}}, "no effect: --method lora has no virtual tokens"),
        ({"space": {"lora_rank": ["5"]}, "method": "full"}, "--method full adds no matrices of low rank"),
        (
            {"space": {"r_drop": ["1"]}, "task": "regression"},
            "has no single class to an answer; leave it out",
        ),
    ],
)
def test_a_bad_search_is_refused_by_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as refusal:
        _config(**options)
    assert message in str(refusal.value)


def test_two_numbers_are_a_range_and_anything_else_is_choices() -> None:
    texts = {"learning_rate": ["1e-5", "1e-3"], "lora-rank": ["4", "8", "8", "16"], "batch_size": ["16"]}
    space = search_space(_config(space=texts | {"adversarial": ["none", "fgm"]}))
    assert space["learning_rate"] == Range(1e-5, 1e-3, log=True)
    assert space["lora_rank"] == Choice((4, 8, 16))
    assert space["batch_size"] == Choice((16,))
    assert space["adversarial"] == Choice(("none", "fgm"))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("task", TASKS)
def test_every_method_and_task_has_a_space_round_the_given_options(method: str, task: str) -> None:
    config = _config(method=method, task=task, weight_decay=0.5, epochs=1)
    space = search_space(config)
    assert ("lora_rank" in space) == (method in {"lora", "dora", "adalora"})
    assert ("virtual_tokens" in space) == METHODS[method].virtual_tokens
    assert ("label_smoothing" in space) == TASKS[task].one_choice
    assert given_values(config, dropout=0.1).keys() == space.keys()


def test_options_outside_a_narrowed_space_are_not_tried_first() -> None:
    config = _config(space={"epochs": ["5", "9"]})
    assert "epochs" not in given_values(config, dropout=None)
    assert "encoder_dropout" not in given_values(config, dropout=None)


def _study(folder: Path, seed: int = 0, space: Space = SPACE) -> Study:
    return Study(folder, space, {name: GIVEN[name] for name in space}, seed=seed, minimise=False)


def _score(options: dict[str, Any]) -> float:
    """Best at a learning rate of 5e-4."""
    return -abs(math.log(options["learning_rate"] / 5e-4)) + 0.01 * options["epochs"]


def test_a_search_that_is_taken_up_again_proposes_what_it_would_have_anyway(tmp_path: Path) -> None:
    def tried(folder: Path, *, interrupted: bool) -> list[Any]:
        folder.mkdir()
        study = _study(folder)
        for number in range(1, 15):
            if interrupted:
                study.propose()  # never ended
                study = _study(folder)
            proposal = study.propose()
            assert proposal is not None
            assert proposal.number == number
            if number % 5 == 4:
                proposal.end("failed", math.nan, 1.0, "out of memory")
            elif proposal.falls_behind(0.5, _score(proposal.options)):
                proposal.end("pruned", math.nan, 1.0)
            else:
                proposal.end("finished", _score(proposal.options), 1.0)
        return [
            replace(one, score=round(one.score, 6)) if one.state != "failed" else one.options
            for one in study.trials
        ]

    whole, parts = (tried(tmp_path / str(part), interrupted=part) for part in (False, True))
    assert whole == parts
    assert whole[0].options == GIVEN
    assert any(one.state == "pruned" for one in whole if isinstance(one, Trial))
    assert (
        _study(tmp_path / "False", seed=1).propose().options != _study(tmp_path / "False").propose().options
    )


def test_the_best_is_the_first_of_the_finished_with_the_best_score(tmp_path: Path) -> None:
    study = _study(tmp_path)
    assert study.best is None
    for state, score in (("finished", 0.0), ("finished", 0.5), ("finished", 0.5), ("failed", math.nan)):
        study.propose().end(state, score, 1.0)
    assert study.best.number == 2


def test_what_is_behind_the_median_at_a_quarter_of_its_schedule_is_pruned(tmp_path: Path) -> None:
    study = _study(tmp_path)
    for score in (0.6, 0.7, 0.8, 0.9, 1.0):
        proposal = study.propose()
        assert not proposal.falls_behind(1 / 3, score)
        assert not proposal.falls_behind(1.0, score)
        proposal.end("finished", score, 1.0)
    proposal = study.propose()
    assert not proposal.falls_behind(0.2, 0.1)  # no quarter is done yet
    assert proposal.falls_behind(0.25, 0.7)
    assert not study.propose().falls_behind(0.25, 0.85)


def test_a_space_of_two_is_exhausted_by_two_trials(tmp_path: Path) -> None:
    study = _study(tmp_path, space={"batch_size": Choice((8, 16))})
    for options in ({"batch_size": 8}, {"batch_size": 16}):
        proposal = study.propose()
        assert proposal.options == options
        proposal.end("finished", 0.5, 1.0)
    assert study.propose() is None
    assert len(study.trials) == 2


def _trial(seconds: float = 60.0, state: Any = "finished") -> Trial:
    return Trial(1, GIVEN, state, 0.5, seconds, "out of memory" if state == "failed" else "")


@given(st.lists(st.floats(0.1, 1000)), st.floats(0.1, 100))
def test_no_trial_begins_that_would_not_end_in_time_but_the_first(
    seconds: list[float], minutes: float
) -> None:
    trials = [_trial(one) for one in seconds]
    more = is_time_for_more(_config(search=True, minutes=minutes), trials)
    assert more == (not trials or sum(seconds) * (1 + 1 / len(seconds)) <= 60 * minutes * (1 + 1e-12))


def test_trials_end_by_number_or_by_the_default_time() -> None:
    assert not is_time_for_more(_config(search=True, trials=2), [_trial()] * 2)
    assert is_time_for_more(_config(search=True, trials=2), [_trial(1e9)])
    assert is_time_for_more(_config(), [_trial()] * 28)
    assert not is_time_for_more(_config(), [_trial()] * 30)
    with pytest.raises(
        StropError, match=f"none of {HOPELESS} trials finished; the last one failed: out of"
    ):
        is_time_for_more(_config(), [_trial(state="failed")] * HOPELESS)


def test_importance_is_told_from_enough_trials_on_and_drawn(tmp_path: Path) -> None:
    study = _study(tmp_path)
    for number in range(1, 2 * ENOUGH):
        assert number > ENOUGH or not study.importances()
        proposal = study.propose()
        proposal.end("finished", _score(proposal.options), 1.0)
    importances = study.importances()
    assert max(importances, key=importances.__getitem__) == "learning_rate"
    SearchReport("accuracy", study.trials, study.best, importances, "a CPU").write(tmp_path, "mood")
    assert (tmp_path / "trials.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("options", "note"),
    [({"learning_rate": 1e30}, "diverged: at step "), ({"max_tokens": 64}, "--max-tokens is 64, but")],
)
def test_a_trial_that_diverges_or_is_refused_has_failed(
    config: TrainConfig, options: dict[str, Any], note: str
) -> None:
    out = config.out.parent
    outcome = run_trial(replace(config, **options, out=out), load_splits(config.data), lambda *_: False)
    assert outcome.state == "failed"
    assert note in outcome.note
    assert not {path.name for path in out.iterdir()} - {"tensorboard"}


def test_a_trial_that_the_kernel_kills_has_failed(config: TrainConfig) -> None:
    def kill(done: float, score: float) -> bool:
        (child,) = multiprocessing.active_children()
        os.kill(child.pid, signal.SIGKILL)
        return False

    outcome = run_trial(replace(config, out=config.out.parent), load_splits(config.data), kill)
    assert outcome.note == "killed by SIGKILL, so memory may not suffice"


def test_a_search_ends_in_a_run_that_its_toml_makes_again(
    config: TrainConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    train(config)
    shown = capsys.readouterr().out
    run, trials = Run.open(config.out), config.out / "trials"
    record = json.loads((config.out / "run.json").read_text())
    assert record["search"].items() >= {"trials": 2, "finished": 2, "pruned": 0, "failed": 0}.items()
    assert record["search"]["seconds"] > record["training"]["seconds"] > 0
    assert f"trial {record['search']['best']} of 2 is the best" in shown
    assert run.merged_model().config.id2label[2] == "plain"
    assert {path.name for path in trials.iterdir()} == {
        *("1", "2", "best.toml", "report.md", "study.journal", "trials.png"),
    }
    assert all([path.name for path in trial.iterdir()] == ["tensorboard"] for trial in trials.glob("[12]"))

    assert main(["train", "--config", str(trials / "best.toml")]) == 0
    again = Run.open(config.out.with_name("run-again"))
    assert again.metrics == run.metrics
    assert not again.config["search"]
    weights = [one.root / "adapter" / "adapter_model.safetensors" for one in (run, again)]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_an_interrupted_search_goes_on_and_can_be_ended(config: TrainConfig) -> None:
    command = (
        *(sys.executable, "-m", "strop", "train", str(config.data), "--model", config.model),
        *("--out", str(config.out), "--epochs", "2", "--batch-size", "8", "--learning-rate", "2e-3"),
        *("--max-tokens", "32", "--threads", "1", "--search", "--space.batch-size", "1", "2", "8"),
    )
    announced: list[str] = []
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            announced += [line] if line.startswith("trial ") else []
            if len(announced) == 3:  # the first, its end, the second
                break
        process.send_signal(signal.SIGINT)
        errors = process.stderr.read()
    assert process.returncode == 130, errors
    assert "strop: interrupted in trial 2; what came before is kept: repeat the command to go on" in errors
    assert "Traceback" not in errors

    config = replace(config, space={"batch_size": ["1", "2", "8"]})
    with pytest.raises(
        InputError, match=r"--search is not given, but the run in .* began with --search on"
    ):
        train(replace(config, search=False, trials=None, resume=True))
    with pytest.raises(InputError, match=r"--epochs is 3, but the run in .* began with --epochs 2"):
        train(replace(config, epochs=3))
    train(replace(config, trials=1))
    assert json.loads((config.out / "run.json").read_text())["search"]["trials"] == 1
    with pytest.raises(InputError, match="holds a finished run"):
        train(config)


def test_a_search_with_torchrun_is_refused(config: TrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(InputError, match="start it without torchrun"):
        train(config)
    assert not config.out.exists()
