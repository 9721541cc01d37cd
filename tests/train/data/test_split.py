"""strop data split: what is kept together, what is dropped, what is refused."""

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from strop.errors import InputError
from strop.train.data.rows import read_rows
from strop.train.data.shares import SPLITS, Shares
from strop.train.data.split import SplitConfig, split
from strop.train.data.splits import load_splits
from strop.train.examples import Columns


def _jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def _written(folder: Path) -> dict[str, list[dict[str, Any]]]:
    return {name: [dict(row) for _, row in read_rows(folder / f"{name}.jsonl")] for name in SPLITS}


def _labelled(count: int) -> list[dict[str, Any]]:
    return [
        {"text": f"text {number}", "label": "yes" if number % 2 else "no", "customer": number // 5}
        for number in range(count)
    ]


def test_a_file_is_split_as_training_would_split_it_and_keeps_its_columns(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    rows = "".join(f"text {number},{'yes' if number % 2 else 'no'},7\n" for number in range(100))
    file.write_text(f"body,verdict,more\n{rows}")
    split(SplitConfig(file, out=tmp_path / "o", text_column=("body",), label_column="verdict"))
    columns = Columns.of("text-classification", text="body", label="verdict")
    assert load_splits(tmp_path / "o", columns) == load_splits(file, columns)
    assert {row["more"] for part in _written(tmp_path / "o").values() for row in part} == {"7"}


def test_a_group_is_in_one_split(tmp_path: Path) -> None:
    split(SplitConfig(_jsonl(tmp_path / "a.jsonl", _labelled(300)), out=tmp_path / "o", group="customer"))
    groups = [{row["customer"] for row in part} for part in _written(tmp_path / "o").values()]
    assert sum(map(len, groups)) == len(set.union(*groups)) == 60


def test_questions_on_one_passage_are_in_one_split(tmp_path: Path) -> None:
    rows = [
        {"id": f"{passage}-{number}", "context": f"passage {passage}", "question": f"which {number}?"}
        for passage in range(40)
        for number in range(3)
    ]
    split(SplitConfig(_jsonl(tmp_path / "a.jsonl", rows), out=tmp_path / "o"))
    passages = [{row["context"] for row in part} for part in _written(tmp_path / "o").values()]
    assert sum(map(len, passages)) == 40


def test_rare_classes_are_in_every_split_when_stratified(tmp_path: Path) -> None:
    rows = [
        {"text": f"text {number}", "label": "rare" if number < 10 else "usual"} for number in range(400)
    ]
    split(
        SplitConfig(_jsonl(tmp_path / "a.jsonl", rows), out=tmp_path / "o", stratify="label"),
        shares=Shares("8:1:1"),
    )
    counts = {
        name: Counter(row["label"] for row in part) for name, part in _written(tmp_path / "o").items()
    }
    assert counts == {
        "train": {"rare": 8, "usual": 312},
        "validation": {"rare": 1, "usual": 39},
        "test": {"rare": 1, "usual": 39},
    }


def test_a_text_in_two_groups_is_refused_or_dropped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance = random.Random(0)
    rows = [{**row, "customer": chance.randrange(50)} for row in _labelled(100) * 2]
    file = _jsonl(tmp_path / "a.jsonl", rows)
    with pytest.raises(InputError, match=r"a.jsonl line \d+ is in .*, but another group brings its text"):
        split(SplitConfig(file, out=tmp_path / "o", group="customer"))
    assert list(tmp_path.iterdir()) == [file]
    split(SplitConfig(file, out=tmp_path / "o", group="customer", drop_leaked=True))
    assert "dropped from train, because a later split has it too" in capsys.readouterr().err
    load_splits(tmp_path / "o")


def test_what_leaks_in_a_folder_of_splits_leaves_train_and_never_test(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = _labelled(60)
    folder = tmp_path / "ready"
    folder.mkdir()
    _jsonl(folder / "train.jsonl", [*rows[:40], {"text": "TEXT  50", "label": "no"}, rows[41]])
    _jsonl(folder / "validation.jsonl", [*rows[40:50], rows[51]])
    _jsonl(folder / "test.jsonl", rows[50:])
    with pytest.raises(InputError, match=r"strop data split .* --drop-leaked"):
        load_splits(folder)
    with pytest.raises(InputError, match=r"is a folder; give one labelled file, or --drop-leaked"):
        SplitConfig(folder, out=tmp_path / "o")
    with pytest.raises(InputError, match=r"--group customer: .* is split already"):
        SplitConfig(folder, out=tmp_path / "o", group="customer", drop_leaked=True)
    split(SplitConfig(folder, out=tmp_path / "o", drop_leaked=True))
    assert _written(tmp_path / "o") == {
        "train": rows[:40],
        "validation": rows[40:50],
        "test": rows[50:],
    }
    notices = capsys.readouterr().err
    assert "dropped from train, because a later split has it too: 2" in notices
    assert "dropped from validation, because a later split has it too: 1" in notices
    assert load_splits(tmp_path / "o").labels == ("no", "yes")


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([{"text": "a", "label": ""}], {}, "line 1: 'label' is empty"),
        ([{"text": "a", "label": "b"}], {"group": "who"}, r"line 1 has no column 'who'.*see --group"),
        ([{"text": "a", "label": "b"}], {"stratify": "who"}, r"no column 'who'.*see --stratify"),
        ([{"text": "a", "label": "b"}], {"label_column": "x"}, r"no column 'x'.*see --label-column"),
        ([{"body": "a", "label": "b"}], {}, r"has no column to learn from; it has: body, label"),
        ([], {}, "a.jsonl has no rows"),
        ([{"text": "a", "label": "b"}], {}, "its train split is empty"),
        ([{"text": f"{n}", "label": "b"} for n in range(50)], {}, "every label is 'b'; give two"),
        ([{"text": f"{n}", "label": str(n)} for n in range(50)], {}, "class '.*' has one example"),
    ],
)
def test_bad_rows_are_refused_before_anything_is_written(
    tmp_path: Path, rows: list[dict[str, Any]], options: dict[str, Any], message: str
) -> None:
    file = _jsonl(tmp_path / "a.jsonl", rows)
    with pytest.raises(InputError, match=message):
        split(SplitConfig(file, out=tmp_path / "o", **options))
    assert list(tmp_path.iterdir()) == [file]


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    file = _jsonl(tmp_path / "a.jsonl", [{"text": "a", "label": "b"}])
    with pytest.raises(InputError, match=r"--out .*a.jsonl is a file; name a folder"):
        split(SplitConfig(file, out=file))
