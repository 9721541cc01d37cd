"""Accuracy over the wire."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from strop.bench.accuracy import Answers, margins, measure_accuracy, read_promise
from strop.errors import InputError
from strop.export.bundle.manifest import SCHEMA
from strop.tasks import TASKS, Example, Tally

TASK = TASKS["text-classification"]

MANIFEST = {
    "schema": SCHEMA,
    "task": TASK.name,
    "default_variant": "int8",
    "variants": [
        {"name": "fp32", "metrics": {"accuracy": 0.9, "macro_f1": 0.8}},
        {"name": "int8", "metrics": {"accuracy": 0.89, "macro_f1": 0.79}},
    ],
}


def told(*answers: tuple[int, str]) -> Answers:
    """Answers of one label each, in their order."""
    found = Answers(TASK)
    for text, label in answers:
        found.add(text, ((label, 0.9),))
    return found


def examples(*labels: str | None) -> list[Example | None]:
    """A text with each label."""
    return [None if label is None else Example("text", label) for label in labels]


def test_each_text_counts_once_by_its_first_answer() -> None:
    answers = told((0, "good"), (1, "good"), (0, "bad"), (2, "bad"), (0, "good"))
    measured = measure_accuracy(TASK, examples("good", "bad", None, "good"), answers)
    assert measured
    assert (measured.texts, measured.of, measured.metrics["accuracy"]) == (2, 3, 0.5)
    assert measured.changed == 1


def test_without_a_label_that_was_asked_there_is_no_accuracy() -> None:
    assert measure_accuracy(TASK, examples(None, "good"), told((0, "good"))) is None


def test_entities_are_scored_by_where_they_are() -> None:
    task = TASKS["token-classification"]
    answers = Answers(task)
    wanted = [Example("Angela Merkel spoke", ("B-PER", "I-PER", "O")), Example("in Rome", ("O", "B-LOC"))]
    entity = task.entities  # type: ignore[attr-defined]
    labels = task.labels(wanted)
    one = np.eye(len(labels), dtype=np.float32)[[labels.index("B-PER"), labels.index("I-PER")]]
    answers.add(0, entity(one, [(0, 6), (7, 13)], labels))
    answers.add(1, ())
    measured = measure_accuracy(task, wanted, answers)
    assert measured
    assert measured.metrics == {"f1": pytest.approx(2 / 3), "precision": 1, "recall": 0.5}


def tally(right: int, wrong: int) -> Tally:
    """Of so many texts of two classes, guessed right and wrong."""
    found = TASK.tally_results([(("good", 0.9),)] * (right + wrong), labelled(right, wrong))
    assert found is not None
    return found


def labelled(right: int, wrong: int) -> list[Example]:
    return [Example("text", "good")] * right + [Example("text", "bad")] * wrong


def test_the_margin_falls_to_nothing_when_all_texts_were_asked() -> None:
    assert margins(TASK, tally(80, 20), 100) == {"accuracy": 0, "macro_f1": 0}
    # By Cochran: 1.96 x sqrt(0.16 / 99 x 900 / 1000).
    assert margins(TASK, tally(80, 20), 1000)["accuracy"] == pytest.approx(0.07475, abs=1e-5)
    assert margins(TASK, tally(720, 180), 1000)["accuracy"] < 0.02
    assert margins(TASK, tally(1, 0), 1000) == {}


@given(st.integers(0, 60), st.integers(0, 60), st.integers(1, 500))
def test_the_margin_of_a_share_is_cochrans(right: int, wrong: int, unasked: int) -> None:
    n = right + wrong
    assume(n >= 2)
    share, of = right / n, n + unasked
    wanted = 1.96 * math.sqrt(share * (1 - share) / (n - 1) * (of - n) / of)
    assert margins(TASK, tally(right, wrong), of)["accuracy"] == pytest.approx(wanted, abs=1e-9)


def test_the_margin_of_a_correlation_is_what_other_samples_show() -> None:
    task, chance, of, n = TASKS["regression"], np.random.default_rng(0), 2000, 400
    true = chance.normal(size=of)
    found = true + chance.normal(size=of)
    shown, said = [], []
    for _ in range(200):
        drawn = chance.choice(of, n, replace=False)
        rows = task.tally_results(found[drawn], [Example("text", y) for y in true[drawn].tolist()])
        assert rows is not None
        shown.append(float(task.score(rows.sum(axis=0))["pearson"]))
        said.append(margins(task, rows, of)["pearson"])
    assert np.mean(said) == pytest.approx(1.96 * np.std(shown), rel=0.15)


def test_a_promise_for_another_task_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps(MANIFEST), encoding="utf-8")
    with pytest.raises(InputError, match="model is for regression, it is for text-classification"):
        read_promise(tmp_path).require(TASKS["regression"])


def test_the_promise_is_that_of_the_variant_that_answered(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps(MANIFEST), encoding="utf-8")
    for path in (tmp_path, tmp_path / "manifest.json"):
        promise = read_promise(path)
        assert promise.of("fp32") == ("fp32", {"accuracy": 0.9, "macro_f1": 0.8})
        assert promise.of("")[0] == "int8"
    with pytest.raises(InputError, match="the server runs fp16, it has fp32, int8"):
        promise.of("fp16")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not a bundle's manifest"),
        ("[]", "not a bundle's manifest"),
        ("{}", "'schema' is missing"),
        (json.dumps(MANIFEST | {"schema": "strop.bundle/9"}), "strop.bundle/9"),
        (json.dumps(MANIFEST | {"task": "mind-reading"}), "its task is 'mind-reading'"),
        (json.dumps(MANIFEST | {"variants": [{"name": "fp32"}]}), "'metrics' is missing"),
    ],
)
def test_another_file_is_no_promise(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "manifest.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=complaint):
        read_promise(file)


def test_a_bundle_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be read: No such file"):
        read_promise(tmp_path)
