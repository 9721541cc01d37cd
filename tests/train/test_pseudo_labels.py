"""Texts without labels, labelled by a finished run."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from strop.errors import InputError
from strop.train.additions import read_additions
from strop.train.command import train
from strop.train.config import TrainConfig
from strop.train.data.splits import load_splits
from strop.train.examples import Columns
from strop.train.pseudo_labels import pseudo_labelled
from strop.train.run import Run

COLUMNS = Columns.of("text-classification")


@pytest.fixture
def texts(tmp_path: Path, tiny: Any, tiny_data: Path) -> Path:
    """100 new texts in a CSV without labels, one of them twice, and one of each split."""
    splits = load_splits(tiny_data)
    known = {example.text for part in splits.parts.values() for example in part}
    rows = [row["text"] for row in tiny.rows(400) if row["text"] not in known][:100]
    rows += [rows[0].upper(), *(part[0].text.title() for part in splits.parts.values())]
    path = tmp_path / "texts.csv"
    path.write_text("\n".join(["id,text", *(f"{number},{row}" for number, row in enumerate(rows))]))
    return path


def test_a_teacher_adds_what_it_is_sure_of(tiny_run: Path, tiny_data: Path, texts: Path, tiny: Any) -> None:
    found = pseudo_labelled(tiny_run, texts, 0.9, COLUMNS, load_splits(tiny_data))
    assert found.left_out["held out"] == 2
    assert found.left_out["in the data already"] == 1
    assert len(found.examples) + found.left_out["its confidence is below 0.9"] == 100
    assert len(found.examples) > 20
    right = sum(any(w in tiny.words[str(e.label)] for w in e.text.lower().split()) for e in found.examples)
    assert right / len(found.examples) > 0.9
    surer = pseudo_labelled(tiny_run, texts, 0.99, COLUMNS, load_splits(tiny_data))
    assert {e.text for e in surer.examples} < {e.text for e in found.examples}


def test_a_student_learns_from_its_teachers_labels(
    tmp_path: Path,
    tiny_run: Path,
    tiny_encoder: Path,
    tiny_data: Path,
    texts: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    config = TrainConfig(
        tiny_data,
        model=str(tiny_encoder),
        out=tmp_path / "student",
        epochs=1,
        batch_size=16,
        max_tokens=32,
        threads=1,
        teacher=tiny_run,
        unlabelled=texts,
    )
    train(replace(config, check=True))
    assert not config.out.exists()
    train(config)
    run = Run.open(config.out)
    record = json.loads((run.root / "run.json").read_text())
    (added,) = read_additions(run.root) or ()
    assert record["config"]["teacher"] == str(tiny_run)
    (counts,) = record["additions"]
    assert counts["origin"] == f"teacher {tiny_run.name}"
    assert counts["examples"] == len(added.examples) == sum(counts["labels"].values())
    assert f"{len(added.examples)} training texts added by teacher tiny" in capfd.readouterr().err


def test_a_teacher_of_another_question_is_refused(
    tiny_run: Path, tiny_data: Path, tmp_path: Path, tiny: Any, texts: Path
) -> None:
    splits = load_splits(tiny_data)
    with pytest.raises(InputError, match=r"was trained for text-classification, not token-classification"):
        pseudo_labelled(tiny_run, texts, 0.9, Columns.of("token-classification"), splits)
    paired = Columns.of("text-classification", pair="other")
    with pytest.raises(InputError, match=r"judges single texts, and the data has pairs; see --pair-column"):
        pseudo_labelled(tiny_run, texts, 0.9, paired, splits)
    two = replace(splits, train=tuple(one for one in splits.train if one.label != "plain"))
    with pytest.raises(InputError, match=r"knows the labels bad, good, plain, and the data has bad, good;"):
        pseudo_labelled(tiny_run, texts, 0.9, COLUMNS, two)
    empty = tiny.write(tmp_path / "empty.jsonl", [])
    with pytest.raises(InputError, match=r"--unlabelled .* has no rows"):
        pseudo_labelled(tiny_run, empty, 0.9, COLUMNS, splits)


def test_options_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    config = TrainConfig(tmp_path, model="m", out=tmp_path)
    with pytest.raises(InputError, match="--teacher needs --unlabelled; give both, or neither"):
        replace(config, teacher=tmp_path)
    with pytest.raises(InputError, match="an answer of regression has no probability to hold against"):
        replace(config, task="regression", teacher=tmp_path, unlabelled=tmp_path)
    with pytest.raises(InputError, match=r"--confidence-floor is 1\.0; give a probability between 0 and 1"):
        replace(config, confidence_floor=1.0)
