"""Accuracy over the wire."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from strop.bench.accuracy import Accuracy, macro_f1, measure_accuracy, read_promise
from strop.errors import InputError
from strop.export.bundle.manifest import SCHEMA

MANIFEST = {
    "schema": SCHEMA,
    "default_variant": "int8",
    "variants": [
        {"name": "fp32", "metrics": {"accuracy": 0.9, "macro_f1": 0.8}},
        {"name": "int8", "metrics": {"accuracy": 0.89, "macro_f1": 0.79}},
    ],
}


def test_each_text_counts_once_by_its_first_answer() -> None:
    labels = ("good", "bad", None, "good")
    answers = [(0, "good"), (1, "good"), (0, "bad"), (2, "bad"), (0, "good")]
    measured = measure_accuracy(labels, answers)
    assert measured
    assert (measured.texts, measured.of, measured.accuracy) == (2, 3, 0.5)
    assert measured.changed == 1


def test_without_a_label_that_was_asked_there_is_no_accuracy() -> None:
    assert measure_accuracy((None, "good"), [(0, "good")]) is None


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")), min_size=1))
def test_macro_f1_is_that_of_scikit_learn(pairs: list[tuple[str, str]]) -> None:
    truths, answers = zip(*pairs, strict=True)
    assert macro_f1(pairs) == pytest.approx(f1_score(truths, answers, average="macro"))


def test_the_margin_falls_to_nothing_when_all_texts_were_asked() -> None:
    assert Accuracy(100, 100, 0.8, 0.8, 0).margin == 0
    some, more = (Accuracy(n, 1000, 0.8, 0.8, 0).margin for n in (100, 900))
    # By hand: 1.96 x sqrt(0.16 / 100 x 900 / 999).
    assert some == pytest.approx(0.0744, abs=1e-4)
    assert more < some


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
