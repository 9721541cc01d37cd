"""strop data check: what it finds, and what it says of it."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from strop.errors import InputError, StropError
from strop.train.data.checks.command import CheckConfig, check

WORDS = {"good": "lovely superb charming", "bad": "dreadful boring clumsy"}


def _jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def _rows(start: int, count: int) -> list[dict[str, Any]]:
    return [
        {"text": f"{WORDS[label]} film number {number}", "label": label}
        for number in range(start, start + count)
        for label in (("good", "bad")[number % 2],)
    ]


def _survey(capsys: pytest.CaptureFixture[str], *arguments: Any, **options: Any) -> dict[str, Any]:
    """What --json prints, with the findings by check."""
    capsys.readouterr()
    try:
        check(CheckConfig(*arguments, json=True, **options))
        spoilt = False
    except StropError as error:
        spoilt = True
        assert error.exit_code == 1  # noqa: PT017
    survey: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert spoilt == any(finding["spoils"] for finding in survey["findings"])
    found = defaultdict(list)
    for finding in survey["findings"]:
        places = [row.rpartition("/")[2] for row in finding["rows"]]
        found[finding["check"]].append(places)
    return {**survey, "found": dict(found)}


def test_clean_data_has_no_findings_and_exit_code_0(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, start in (("train", 0), ("validation", 40), ("test", 60)):
        _jsonl(tmp_path / f"{name}.jsonl", _rows(start, 40 if name == "train" else 20))
    check(CheckConfig(tmp_path))
    assert "nothing found" in capsys.readouterr().out
    survey = _survey(capsys, tmp_path)
    assert survey["rows"] == {"train": 40, "validation": 20, "test": 20}
    assert survey["classes"]["test"] == {"good": 10, "bad": 10}
    assert survey["lengths"][0]["by_split"]["train"] == dict.fromkeys(
        ("p50", "p90", "p95", "p99", "p100"), 6
    )


def test_copies_within_and_across_splits_are_told_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = _rows(0, 60)
    near = {**rows[3], "text": rows[3]["text"].upper() + " "}
    _jsonl(tmp_path / "train.jsonl", [*rows[:40], rows[1], near])
    near = {**rows[4], "text": "\u3000" + rows[4]["text"]}
    _jsonl(tmp_path / "test.jsonl", [*rows[40:], rows[2], near])
    assert _survey(capsys, tmp_path)["found"] == {
        "duplicate": [["train.jsonl line 2", "train.jsonl line 41"]],
        "near duplicate": [["train.jsonl line 4", "train.jsonl line 42"]],
        "leak": [["train.jsonl line 3", "test.jsonl line 21"]],
        "near leak": [["train.jsonl line 5", "test.jsonl line 22"]],
    }


def test_every_row_without_text_or_label_is_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = [
        {"text": "", "label": "good"},
        {"text": 7, "label": "good"},
        {"text": "a"},
        {"text": "b", "label": None},
        {"text": " ", "label": "bad"},
        {"label": "good"},
    ]
    file = _jsonl(tmp_path / "a.jsonl", [*_rows(0, 20), *bad])
    with pytest.raises(StropError, match=r"a.jsonl would spoil a score: unusable row \(6\)"):
        check(CheckConfig(file))
    output = capsys.readouterr().out
    for line in range(21, 27):
        assert f"a.jsonl line {line}: " in output


def test_one_text_with_two_labels_and_a_label_the_rest_contradicts_are_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = _rows(0, 200)
    rows[10] = {**rows[10], "label": "bad"}  # the others say that it is good
    rows.append({**rows[20], "label": "bad"})
    file = _jsonl(tmp_path / "a.jsonl", rows)
    found = _survey(capsys, file, suspect_odds=3)["found"]
    assert found["conflicting labels"] == [["a.jsonl line 21", "a.jsonl line 201"]]
    assert ["a.jsonl line 11"] in found["suspect label"]
    assert len(found["suspect label"]) <= 3
    assert "suspect label" not in _survey(capsys, file, suspects=False)["found"]


def test_classes_that_nothing_can_be_learnt_of_are_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _jsonl(tmp_path / "train.jsonl", [*_rows(0, 20), {"text": "once", "label": "rare"}])
    _jsonl(tmp_path / "test.jsonl", [{"text": text, "label": "new"} for text in "xy"])
    found = _survey(capsys, tmp_path)["found"]
    assert found["class of one row"] == [["train.jsonl line 21"]]
    assert found["class not in train"] == [["test.jsonl line 1", "test.jsonl line 2"]]


def test_data_of_one_class_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [row for row in _rows(0, 20) if row["label"] == "good"]
    assert "only one class" in _survey(capsys, _jsonl(tmp_path / "a.jsonl", rows))["found"]


def test_scores_are_no_classes_and_one_that_is_no_number_is_unusable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.csv"
    file.write_text("text,score\nlovely,4.5\ncharming,4\ndull,low\n", encoding="utf-8")
    survey = _survey(capsys, file)
    assert survey["found"] == {"unusable row": [["a.csv line 4"]]}
    assert survey["classes"] == {}


def test_several_labels_of_a_row_are_counted_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"text": "a", "labels": ["x", "y"]}, {"text": "b", "labels": "x"}, {"text": "c", "labels": []}]
    _jsonl(tmp_path / "train.jsonl", rows)
    _jsonl(tmp_path / "test.jsonl", [{"text": "d", "labels": "x|z"}])
    survey = _survey(capsys, tmp_path)
    assert survey["classes"] == {"train": {"x": 2, "y": 1}, "test": {"x": 1, "z": 1}}
    assert survey["found"] == {"class not in train": [["test.jsonl line 1"]]}


def test_a_label_column_that_is_missing_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = _jsonl(tmp_path / "a.jsonl", [{"text": "a", "mood": "good"}, {"text": "b", "mood": "bad"}])
    check(CheckConfig(file))
    assert "labels were not looked at: there is no column label" in capsys.readouterr().out
    with pytest.raises(InputError, match=r"line 1 has no column 'mod'; it has: text, mood \(see --label-c"):
        check(CheckConfig(file, label_column="mod"))


def test_lengths_are_counted_in_a_models_tokens_against_its_limit(
    tmp_path: Path, tiny_encoder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [*_rows(0, 20), {"text": "film " * 40, "label": "good"}]
    file = _jsonl(tmp_path / "a.jsonl", rows)
    survey = _survey(capsys, file, model=str(tiny_encoder))
    (lengths,) = survey["lengths"]
    assert (lengths["unit"], lengths["limit"], lengths["over"]) == ("tokens", 32, {"all": 1})
    assert lengths["by_split"]["all"]["p100"] == 42  # with [CLS] and [SEP]
    assert survey["found"]["too long"] == [["a.jsonl line 21"]]


def test_tags_are_checked_token_by_token(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"tokens": ["EU", "rejects"], "tags": ["B-ORG", "O"]},
        {"tokens": ["EU", "rejects"], "tags": ["B-ORG"]},
        {"tokens": [], "tags": []},
        {"tokens": ["EU", "rejects"], "tags": ["ORG", "O"]},
        {"tokens": ["EU", "rejects"], "tags": ["O", "O"]},
    ]
    survey = _survey(capsys, _jsonl(tmp_path / "a.jsonl", rows))
    found = survey["found"]
    assert survey["classes"] == {"all": {"ORG": 1}}
    assert found["unusable row"] == [[f"a.jsonl line {line}"] for line in (2, 3, 4)]
    assert found["conflicting labels"] == [["a.jsonl line 1", "a.jsonl line 5"]]


def test_answers_are_checked_against_their_passage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    context = {"context": "Oslo is in Norway.", "question": "Where?"}
    train = [
        {**context, "answers": [{"text": "Norway", "answer_start": 11}]},
        {**context, "question": "What?", "answers": {"text": ["Oslo"], "answer_start": [0]}},
        {**context, "question": "Who?", "answers": {"text": [], "answer_start": []}},
        {**context, "question": "When?", "answers": {"text": ["Norway"], "answer_start": [10]}},
        {**context, "question": "How?", "answers": None},
    ]
    _jsonl(tmp_path / "train.jsonl", train)
    _jsonl(tmp_path / "test.jsonl", [{**train[0], "question": "Where is Oslo?"}])
    found = _survey(capsys, tmp_path)["found"]
    assert found["unusable row"] == [["train.jsonl line 4"], ["train.jsonl line 5"]]
    assert found["shared passage"] == [[*(f"train.jsonl line {n}" for n in (1, 2, 3)), "test.jsonl line 1"]]


def test_what_can_not_be_read_is_a_fault_of_usage(tmp_path: Path) -> None:
    with pytest.raises(
        InputError,
        match=r"has no split, a train, validation, test file that ends in .jsonl, .*, .json \(.gz too",
    ):
        check(CheckConfig(tmp_path))
    with pytest.raises(InputError, match=r"a.jsonl has no rows"):
        check(CheckConfig(_jsonl(tmp_path / "a.jsonl", [])))
    with pytest.raises(InputError, match=r"--suspect-odds is 0.5; it must be at least 1"):
        CheckConfig(tmp_path, suspect_odds=0.5)
