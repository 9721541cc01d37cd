"""What export can start from: a run, runs merged, and a peft folder with its base and data."""

import json
import shutil
from dataclasses import replace

import pytest
import torch

from strop.errors import InputError
from strop.export.build import build
from strop.export.bundle import Bundle
from strop.export.command import export
from strop.export.config import ExportConfig
from strop.export.peft_folder import PeftFolder
from strop.export.trained import caveat, further_adapters, open_run
from strop.train.run import Run

LABELS = ("bad", "good", "plain")


class Silent:
    def step(self, name):
        pass

    def advanced(self, done, total):
        pass


@pytest.fixture
def folder(tiny_run, tiny_data):
    """The options that export a run's adapter as if another tool had trained it."""
    return ExportConfig(tiny_run / "adapter", data=tiny_data, labels=LABELS, recipes=())


def test_a_peft_folder_becomes_the_bundle_that_its_run_would(folder, tiny_run, tmp_path):
    further = (f"{folder.run.parent}=0.25",)
    build(replace(folder, out=tmp_path / "mood", name="mood", own_weight=0.75, adapters=further), Silent())
    manifest = Bundle.open(tmp_path / "mood").manifest
    scores = json.loads((tiny_run / "metrics.json").read_text())["test"]
    assert manifest.variants[0].metrics["accuracy"] == pytest.approx(scores["accuracy"])
    assert (manifest.labels, manifest.max_tokens) == (LABELS, 32)
    card = (tmp_path / "mood" / "README.md").read_text()
    assert "Merged by weight: its own adapter (0.75), tiny (0.25)." in card


def test_a_run_takes_further_adapters_by_weight(tiny_run):
    halves = ExportConfig(tiny_run, adapters=(f"{tiny_run}=0.5",), own_weight=0.5)
    run = open_run(halves)
    (further,) = further_adapters(halves, run)
    half, whole = run.merged_model([further], 0.5).state_dict(), run.merged_model().state_dict()
    for name, tensor in whole.items():
        torch.testing.assert_close(half[name], tensor, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": None}, "has no data; give labelled texts: --data"),
        ({"labels": ()}, "names the classes LABEL_0, LABEL_1, .* give --labels in the order"),
        ({"labels": ("good", "bad")}, "--labels gives the classes good, bad, and .* has bad, good, plain"),
        ({"max_tokens": 33}, "--max-tokens is 33, but .* takes at most 32"),
        ({"base": "elsewhere"}, "--base is elsewhere, but .*adapter was trained on .*; leave out --base"),
    ],
)
def test_what_a_peft_folder_lacks_is_asked_for(folder, change, message):
    with pytest.raises(InputError, match=message):
        PeftFolder.open(replace(folder, **change))


def test_a_peft_folder_s_options_are_refused_for_a_run(tiny_run, tiny_data):
    with pytest.raises(InputError, match=r"--data is for a peft folder, and .* is a run"):
        open_run(ExportConfig(tiny_run, data=tiny_data))


def test_a_run_of_other_classes_is_not_added(tiny_run, tmp_path):
    other = shutil.copytree(tiny_run, tmp_path / "other")
    record = json.loads((other / "run.json").read_text())
    (other / "run.json").write_text(json.dumps(record | {"labels": ["plain", "good", "bad"]}))
    config = ExportConfig(tiny_run, adapters=(str(other),))
    with pytest.raises(InputError, match=r"has the classes plain, good, bad, and .* has bad, good, plain"):
        further_adapters(config, open_run(config))


def worth(run, folder, accuracy):
    """A copy of a run that scored so much, as its majority class did."""
    copy = shutil.copytree(run, folder / "copy")
    metrics = json.loads((copy / "metrics.json").read_text())
    metrics["test"]["accuracy"] = metrics["baselines"]["majority class"]["accuracy"] = accuracy
    (copy / "metrics.json").write_text(json.dumps(metrics))
    return copy


def test_a_run_that_scored_nothing_is_refused_and_merged_with_others_left_to_the_gate(tiny_run, tmp_path):
    nothing = worth(tiny_run, tmp_path, 0.0)
    with pytest.raises(InputError, match=r"copy has accuracy 0\.0000 .* more --epochs"):
        open_run(ExportConfig(nothing))
    assert open_run(ExportConfig(nothing, adapters=(str(tiny_run),))).root == nothing


def test_a_run_that_beat_no_baseline_is_exported_with_a_warning(tiny_run, tmp_path, capsys):
    out = tmp_path / "mood"
    export(ExportConfig(worth(tiny_run, tmp_path, 0.4), recipes=(), out=out))
    warning = "copy was not ahead of majority class"
    assert f"warning: {warning}" in capsys.readouterr().out
    assert f"- warning: {warning}" in (out / "report.md").read_text()
    assert f"- Warning: {warning}" in (out / "README.md").read_text()


def test_a_run_that_is_ahead_of_its_baselines_needs_no_warning(tiny_run):
    scores = {"test": {"accuracy": 0.8}, "baselines": {"majority class": {"accuracy": 0.4}}}
    assert caveat(replace(Run.open(tiny_run), metrics=scores)) is None
