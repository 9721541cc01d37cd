"""``strop data from-feedback``: callers' words made training data."""

import json
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strop.cli import main
from strop.feedback import Answered, AnsweredBy, Correction, FeedbackStore
from strop.train.data.votes import resolve

BY = AnsweredBy("tiny", "3", "text-classification", ("bad", "good", "plain"))
NOON = 1_800_000_000.0


def say(*labels: Any) -> list[Correction]:
    return [Correction(NOON + place, label, "") for place, label in enumerate(labels)]


@given(st.lists(st.sampled_from("abcd"), min_size=1, max_size=12))
def test_most_decide_and_of_as_many_the_one_said_last(labels: list[str]) -> None:
    verdict = resolve(say(*labels))
    assert verdict
    most = max(labels.count(label) for label in labels)
    best = [label for label in labels if labels.count(label) == most]
    assert (verdict.label, verdict.votes, verdict.of) == (best[-1], most, len(labels))
    assert verdict.tie == (len(set(best)) > 1)
    assert verdict.contested == (len(set(labels)) > 1)


def test_the_same_names_in_another_order_are_one_label_and_numbers_have_a_median() -> None:
    verdict = resolve(say(["a", "b"], ["b", "a"], ["c"]))
    assert verdict
    assert (verdict.label, verdict.votes) == (["a", "b"], 2)
    for order in permutations([0.0, 1.0, 5.0]):
        verdict = resolve(say(*order), numbers=True)
        assert verdict
        assert verdict.label == 1.0
    assert resolve([]) is None


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Six answers, five texts, one of them without and one unsampled."""
    path = tmp_path / "store.db"
    open_store = FeedbackStore.open(path, 1)
    rows: Sequence[tuple[str | None, Sequence[str | None]]] = (
        ("A fine film", ["good", "plain"]),
        ("a  FINE film", ["good"]),
        ("Dull", ["bad", "plain"]),
        (None, ["bad"]),
        ("Well", []),
        ("Only a word", [None]),
    )
    for place, (text, labels) in enumerate(rows):
        open_store.add(BY, [Answered(f"r{place}", 0, NOON + place, "good", 0.5, text)])
        for number, label in enumerate(labels):
            (found,) = open_store.find(f"r{place}", 0)
            open_store.correct(found.number, Correction(NOON + 10 * place + number, label, f"c{place}"))
    open_store.close()
    return path


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_feedback_becomes_rows_with_conflicts_resolved_and_copies_merged(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, rest = tmp_path / "new" / "rows.jsonl", tmp_path / "rest.jsonl"
    assert main(["data", "from-feedback", str(store), "--out", str(out), "--unlabelled", str(rest)]) == 0
    fine, dull = rows_of(out)
    assert fine == {
        "text": "A fine film",
        "label": "good",
        "request_id": "r0",
        "model": "tiny",
        "version": "3",
        "predicted": "good",
        "confidence": 0.5,
        "votes": 2,
        "of": 3,
        "said": "2027-01-15T08:00:10+00:00",
        "comments": ["c0", "c0", "c1"],
    }
    assert (dull["text"], dull["label"]) == ("Dull", "plain")
    assert [row["text"] for row in rows_of(rest)] == ["Well", "Only a word"]
    printed = capsys.readouterr().out
    assert "rows.jsonl: 2 texts (good 1, plain 1)" in printed
    assert "feedback: 7; the same text again: 1; contested: 2, tied: 1 (the label given last)" in printed
    assert "left out for want of a text: 1" in printed
    assert "rest.jsonl: 2 texts without feedback" in printed


def test_ties_can_be_left_out_and_answers_chosen(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    words = ["data", "from-feedback", str(store), "--ties", "drop", "--out"]
    assert main([*words, str(out), "--since", "2027-01-15T08:00:01", "--model", "tiny"]) == 0
    assert [row["text"] for row in rows_of(out)] == ["a  FINE film"]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--model-version", "4"], "no feedback for --model-version 4; widen that"),
        (["--unlabelled", "{out}"], "is --out, too"),
        (["--out", "{store}"], "exists; give another name"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_written(
    store: Path, tmp_path: Path, words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "rows.jsonl"
    given = [word.format(out=out, store=store) for word in words]
    given = given if "--out" in given else [*given, "--out", str(out)]
    assert main(["data", "from-feedback", str(store), *given]) == 2
    assert complaint in capsys.readouterr().err
    assert not out.exists()


def test_models_of_several_tasks_must_be_chosen_from(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    open_store = FeedbackStore.open(store, 1)
    other = AnsweredBy("stars", "1", "regression", ("score",))
    open_store.add(other, [Answered("s", 0, NOON, 3.5, None, "Nice")])
    (found,) = open_store.find("s", 0)
    open_store.correct(found.number, Correction(NOON, 4.0, ""))
    open_store.close()
    out = tmp_path / "rows.jsonl"
    words = ["data", "from-feedback", str(store), "--out", str(out)]
    assert main(words) == 2
    assert "stars (regression), tiny (text-classification); choose one: --model" in capsys.readouterr().err
    assert main([*words, "--model", "stars"]) == 0
    (row,) = rows_of(out)
    assert (row["text"], row["score"], row["predicted"]) == ("Nice", 4.0, 3.5)
