"""What a model's folder says of its vectors: read as sentence-transformers writes it, and written so."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from strop.errors import InputError
from strop.tasks import TASKS, Pooling
from strop.train.command import train
from strop.train.config import TrainConfig
from strop.train.examples import Columns
from strop.train.heads import HEADS, logits_of
from strop.train.merged import MergeConfig, merge
from strop.train.pooling import pooling_of, stated_pooling, write_pooling
from strop.train.run import Run

PREFIX = "sentence_transformers.models."


def _say(folder: Path, settings: object, *further: str) -> str:
    """A model folder whose modules are an encoder, a pooling layer and ``further`` ones."""
    kinds = ("Transformer", "Pooling", *further)
    modules = [
        {"idx": place, "path": f"{place}_{kind}" if place else "", "type": PREFIX + kind}
        for place, kind in enumerate(kinds)
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(settings))
    return str(folder)


@pytest.mark.parametrize(
    ("settings", "pooling"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
        ({"pooling_mode_mean_tokens": True}, "mean"),
        ({"pooling_mode_cls_token": False}, "mean"),
        ({"pooling_mode": "cls"}, "cls"),
        ({"pooling_mode": ["mean"]}, "mean"),
    ],
)
def test_a_folder_says_what_its_vectors_are_made_of(
    settings: dict[str, Any], pooling: Pooling, tmp_path: Path
) -> None:
    assert stated_pooling(str(tmp_path)) is None
    assert stated_pooling(_say(tmp_path, settings, "Normalize")) == pooling


@pytest.mark.parametrize(
    ("settings", "further", "message"),
    [
        ({"pooling_mode_lasttoken": True, "pooling_mode_mean_tokens": False}, (), "by lasttoken "),
        ({"pooling_mode": ["mean", "max"]}, (), r"by mean\+max "),
        ({"pooling_mode": "weightedmean"}, (), "by weightedmean "),
        ({"pooling_mode": "cls"}, ("Dense",), r"has a Dense layer on top \(2_Dense\)"),
        ([], (), r"has a modules\.json that can't be read"),
        (None, (), "lacks 1_Pooling/config.json"),
    ],
)
def test_what_makes_other_vectors_is_refused_with_the_fix(
    settings: object, further: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    with pytest.raises(
        InputError, match=rf"--pooling auto: model .*{message}.*; say --pooling mean or cls"
    ):
        stated_pooling(_say(tmp_path, settings, *further))


def test_what_is_no_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "modules.json").write_text("[")
    with pytest.raises(InputError, match=r"has a modules\.json that can't be read \(Expecting"):
        stated_pooling(str(tmp_path))


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_what_is_written_is_read(pooling: Pooling, tmp_path: Path) -> None:
    write_pooling(tmp_path, pooling, 32)
    assert stated_pooling(str(tmp_path)) == pooling


def test_a_task_without_vectors_has_no_pooling() -> None:
    with pytest.raises(InputError, match="--pooling cls: regression makes no vectors; leave it out"):
        Columns.of("regression", pooling="cls")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tiny: Any, tiny_encoder: Path) -> Run:
    """A run that pools the first token, because its encoder's folder says so."""
    folder = tmp_path_factory.mktemp("pooling")
    model = Path(shutil.copytree(tiny_encoder, folder / "model"))
    write_pooling(model, "cls", 32)
    texts = [row["text"] for row in tiny.rows(48)]
    rows = [{"anchor": one, "positive": two} for one, two in zip(texts[::2], texts[1::2], strict=True)]
    for name, place in (("train", slice(16)), ("validation", slice(16, 20)), ("test", slice(20, 24))):
        tiny.write(folder / f"{name}.jsonl", rows[place])
    train(_config(folder, model=str(model), out=folder / "run"))
    return Run.open(folder / "run")


def _config(data: Path, **options: Any) -> TrainConfig:
    return TrainConfig(
        data, task="sentence-embedding", max_tokens=32, epochs=1, batch_size=8, threads=1, **options
    )


def test_a_run_says_what_was_found_and_an_older_one_has_the_mean(run: Run) -> None:
    assert run.config["pooling"] == run.task.pooling == "cls"
    older = {name: value for name, value in run.config.items() if name != "pooling"}
    assert replace(run, config=older).task.pooling == "mean"


def test_what_goes_on_from_a_run_pools_as_it_does(run: Run, tmp_path: Path) -> None:
    config = _config(run.data, from_=run.root, out=tmp_path / "next")
    assert pooling_of(config) == "cls"
    with pytest.raises(InputError, match="was trained with --pooling cls, not mean; leave out --pooling"):
        run.require_same_question(replace(config, pooling="mean").columns, "--from")


def test_a_merged_model_says_it_too_and_pools_its_first_token(run: Run, tmp_path: Path) -> None:
    merge(MergeConfig(run.root, out=tmp_path / "merged"))
    assert stated_pooling(str(tmp_path / "merged")) == "cls"
    model, ids = run.merged_model(), torch.tensor([[2, 30, 31, 3]])
    with torch.no_grad():
        found = logits_of(HEADS[run.task.head], model, {"input_ids": ids, "attention_mask": ids > 0})
        torch.testing.assert_close(found, model(ids).last_hidden_state[:, 0])
    assert run.task.head != TASKS[run.task.name].head
