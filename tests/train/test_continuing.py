"""Learning that goes on from a finished run: what is kept, what is replayed, what is forgotten."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from strop.errors import InputError
from strop.export.command import export
from strop.export.config import ExportConfig
from strop.train.additions import read_additions
from strop.train.command import train
from strop.train.config import TrainConfig
from strop.train.continuing import Continued, joined_labels, leaks, replayed
from strop.train.data.splits import Splits, load_splits
from strop.train.run import Run


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory, tiny: Any, tiny_data: Path) -> Path:
    """New texts, of a label that is known and one that is not."""
    seen = {example.text for part in load_splits(tiny_data).parts.values() for example in part}
    names = {"bad": "awful", "good": "bad"}
    rows = [
        row | {"label": names[row["label"]]}
        for row in tiny.rows(480)
        if row["label"] in names and row["text"] not in seen
    ]
    folder = tmp_path_factory.mktemp("data") / "moved"
    folder.mkdir()
    for name, place in (("train", slice(80)), ("validation", slice(80, 100)), ("test", slice(100, 130))):
        tiny.write(folder / f"{name}.jsonl", rows[place])
    return folder


def _config(data: Path, run: Path, out: Path, **options: Any) -> TrainConfig:
    """Two epochs from a run on."""
    given: dict[str, Any] = {"epochs": 2, "batch_size": 8, "learning_rate": 5e-3, "threads": 1} | options
    return TrainConfig(data, from_=run, out=out, max_tokens=30, **given)


@pytest.fixture
def config(tmp_path: Path, moved: Path, tiny_run: Path) -> TrainConfig:
    """From the tiny run on to the new texts."""
    return _config(moved, tiny_run, tmp_path / "next")


@pytest.fixture(scope="module")
def gone_on(tmp_path_factory: pytest.TempPathFactory, moved: Path, tiny_run: Path) -> Run:
    """A run that went on from one that is gone since, in another place than it was trained in."""
    folder = tmp_path_factory.mktemp("continued")
    old = Path(shutil.copytree(tiny_run, folder / "old"))
    train(_config(moved, old, folder / "next"))
    shutil.rmtree(old)
    return Run.open((folder / "next").rename(folder / "elsewhere"))


def _start(config: TrainConfig) -> Continued:
    assert config.from_ is not None
    return Continued.of(Run.open(config.from_), config.columns, config.out, config.seed)


def test_a_run_goes_on_with_its_head_and_says_what_it_forgot(
    gone_on: Run, tiny_run: Path, tiny_data: Path
) -> None:
    old = Run.open(tiny_run)
    assert gone_on.labels == ("bad", "good", "plain", "awful")
    assert gone_on.base_model == old.base_model
    found = gone_on.metrics["beside"]["forgetting"]
    assert found["reference_metrics"] == {name: old.metrics["test"][name] for name in old.task.metrics}
    # What was called good is called bad now.
    assert found["change"]["accuracy"] < -0.2
    assert found["change"]["accuracy"] == found["metrics"]["accuracy"] - old.metrics["test"]["accuracy"]
    assert gone_on.metrics["warnings"] == []
    page = (gone_on.root / "report.md").read_text()
    assert "as old left it, fine-tuned on moved" in page
    assert "| test split of old |" in page
    assert "the change is the backward transfer" in page
    (addition,) = read_additions(gone_on.root) or ()
    texts = {example.text for example in load_splits(tiny_data).train}
    assert {example.text for example in addition.examples} < texts


def test_the_run_directory_is_enough_for_export(gone_on: Run, tmp_path: Path) -> None:
    export(ExportConfig(gone_on.root, out=tmp_path / "bundle", recipes=()))
    manifest = json.loads((tmp_path / "bundle" / "manifest.json").read_text())
    accuracy = gone_on.metrics["test"]["accuracy"]
    assert manifest["variants"][0]["metrics"]["accuracy"] == pytest.approx(accuracy, abs=1e-6)
    assert manifest["labels"] == list(gone_on.labels)


def test_every_weight_can_go_on_and_again(config: TrainConfig, tmp_path: Path) -> None:
    train(replace(config, method="full", epochs=1, learning_rate=1e-4))
    assert not (config.out / "start").exists()
    again = replace(config, from_=config.out, out=tmp_path / "again", epochs=1, replay=0.0)
    train(again)
    assert Run.open(again.out).labels == Run.open(config.out).labels
    assert (again.out / "start").is_dir()


def test_old_rows_of_the_head_are_kept_and_new_ones_begin_small(config: TrainConfig) -> None:
    start = _start(config)
    labels = joined_labels(start.run, ("awful", "good"))
    assert start.model(start.run.task, ("bad", "good"))[0].config.num_labels == 3
    old = start.run.merged_model()
    model, untrained = start.model(start.run.task, labels)
    assert untrained == ()
    assert labels == ("bad", "good", "plain", "awful")
    ids = torch.tensor([[2, 45, 50, 3]])
    with torch.inference_mode():
        before, after = old(input_ids=ids).logits, model.eval()(input_ids=ids).logits
    torch.testing.assert_close(after[:, :3], before)
    assert 0 < float(after[0, 3].abs()) < 3
    again, _ = start.model(start.run.task, labels)
    for name, one in model.named_parameters():
        assert one.requires_grad
        torch.testing.assert_close(again.get_parameter(name), one, rtol=0, atol=0)


@pytest.mark.parametrize("family", ["roberta", "distilbert"])
def test_heads_of_other_families_grow(
    tmp_path: Path, family: str, make_encoder: Any, tiny_data: Path
) -> None:
    encoder = tmp_path / family
    make_encoder(encoder, family)
    run = tmp_path / "run"
    train(TrainConfig(tiny_data, model=str(encoder), out=run, epochs=1, max_tokens=30, threads=1))
    start = _start(_config(tiny_data, run, tmp_path / "next"))
    model, _ = start.model(start.run.task, ("bad", "good", "plain", "new"))
    ids = torch.tensor([[2, 45, 50, 3]])
    with torch.inference_mode():
        after = model.eval()(input_ids=ids).logits
        torch.testing.assert_close(after[:, :3], start.run.merged_model()(input_ids=ids).logits)


def test_a_share_of_the_old_texts_is_replayed_but_none_that_judges(config: TrainConfig) -> None:
    start = _start(config)
    new = load_splits(config.data)
    tenth, half = (replayed(start, new, share).examples for share in (0.1, 0.5))
    assert 0 < len(tenth) < len(half) < len(start.old.train)
    assert {one.text for one in tenth} < {one.text for one in half}
    assert replayed(start, new, 0.0).examples == []
    leaking = replace(new, test=(*new.test, half[0]), train=(*new.train, half[1]))
    found = replayed(start, leaking, 0.5)
    assert found.examples == half[2:]
    assert found.left_out == {"held out": 1, "in the data already": 1}


def _leaking(start: Continued, new: Splits) -> Iterator[str]:
    test = (
        start.old.train[0],
        replace(start.old.train[1], text=start.old.train[1].text.upper()),
        *new.test,
    )
    return leaks(start, replace(new, test=test, train=(*new.train, start.old.test[0])))


def test_texts_that_make_a_score_too_good_are_named(config: TrainConfig) -> None:
    start, new = _start(config), load_splits(config.data)
    assert list(leaks(start, new)) == []
    of_test, of_old = _leaking(start, new)
    assert of_test.startswith("2 of 32 texts of the test split are among those that tiny learnt from")
    assert start.old.train[0].text in of_test
    assert of_old.startswith("1 of 32 texts of the tiny's test split are among those that this run learnt")


def test_what_can_not_go_on_is_refused_before_anything_is_written(
    config: TrainConfig, tiny_run: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="there is both --model and --from; give one"):
        replace(config, model="some")
    with pytest.raises(InputError, match="there is neither --model nor --from; give one"):
        replace(config, from_=None)
    with pytest.raises(InputError, match=r"--replay is 2; give a share from 0 to 1"):
        replace(config, replay=2)
    copied = Path(shutil.copytree(tiny_run, tmp_path / "copied"))
    record = json.loads((copied / "run.json").read_text())
    record["data"]["path"] = str(tmp_path / "gone")
    (copied / "run.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match="gone does not exist"):
        train(replace(config, from_=copied))
    assert not config.out.exists()
