"""Splitting by a hash of the text, and reading a user's own splits."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strop.errors import InputError
from strop.train.data.shares import SPLITS, Shares
from strop.train.data.splits import Splits, load_splits
from strop.train.examples import Example

TEXTS = st.lists(st.text(min_size=1, alphabet=st.characters(exclude_categories=["Cs"])))


def _examples(texts: list[str]) -> list[Example]:
    return [Example(text, "a") for text in texts]


def _folder(folder: Path, **parts: list[tuple[str, str]]) -> Path:
    for name, rows in parts.items():
        lines = "".join(f"{text},{label}\n" for text, label in rows)
        (folder / f"{name}.csv").write_text(f"text,label\n{lines}", encoding="utf-8")
    return folder


@given(TEXTS)
def test_no_text_is_in_two_splits_and_none_is_lost(texts: list[str]) -> None:
    splits = Splits.of(_examples(texts), Shares())
    found = [{example.text for example in part} for part in splits.parts.values()]
    assert sum(map(len, found)) == len(set().union(*found))
    assert sum(map(len, splits.parts.values())) == len(texts)


@given(TEXTS, TEXTS)
def test_a_text_stays_in_its_split_as_the_data_grows(texts: list[str], more: list[str]) -> None:
    before = Splits.of(_examples(texts), Shares())
    after = Splits.of(_examples(more + texts), Shares())
    for name in SPLITS:
        assert set(before.parts[name]) <= set(after.parts[name])


def test_a_folder_of_splits_is_read_as_it_stands(tmp_path: Path) -> None:
    rows = [("good one", "good"), ("bad one", "bad")]
    other = [("fine", "good"), ("poor", "bad")]
    _folder(tmp_path, train=rows, validation=other, test=[("ok", "good")])
    splits = load_splits(tmp_path)
    assert splits.train == (Example("good one", "good"), Example("bad one", "bad"))
    assert splits.labels == ("bad", "good")


def test_the_same_content_has_the_same_sha256_and_any_change_another(tmp_path: Path) -> None:
    one = Splits((Example("a", "x"),), (Example("b", "x"),), (Example("c", "y"),))
    assert one.sha256 == Splits(one.train, one.validation, one.test).sha256
    moved = Splits(one.train, (*one.validation, *one.test), ())
    relabelled = Splits(one.train, one.validation, (Example("c", "x"),))
    assert len({one.sha256, moved.sha256, relabelled.sha256}) == 3


def test_a_text_in_two_splits_of_a_folder_is_refused(tmp_path: Path) -> None:
    rows = [("good one", "good"), ("bad one", "bad")]
    _folder(tmp_path, train=rows, validation=[("x", "good")], test=[("bad one", "bad")])
    with pytest.raises(InputError, match=r"'bad one' is in train and in test; remove it"):
        load_splits(tmp_path)


def test_a_label_only_in_test_is_refused_by_name(tmp_path: Path) -> None:
    rows = [("a", "good"), ("b", "bad")]
    test = [("d", "odd"), ("e", "odd")]
    _folder(tmp_path, train=rows, validation=[("c", "good"), ("f", "bad")], test=test)
    with pytest.raises(InputError, match=r"label 'odd' is in the test split but not in train"):
        load_splits(tmp_path)


def test_a_class_with_one_example_is_refused_by_name(tmp_path: Path) -> None:
    rows = [("a", "good"), ("b", "bad"), ("c", "rare")]
    _folder(tmp_path, train=rows, validation=[("d", "good")], test=[("e", "bad")])
    with pytest.raises(InputError, match=r"class 'rare' has one example; give it more"):
        load_splits(tmp_path)


def test_a_single_class_is_refused(tmp_path: Path) -> None:
    _folder(tmp_path, train=[("a", "good")], validation=[("b", "good")], test=[("c", "good")])
    with pytest.raises(InputError, match=r"every label is 'good'; give two classes"):
        load_splits(tmp_path)


def test_a_missing_split_is_named_with_the_fix(tmp_path: Path) -> None:
    _folder(tmp_path, train=[("a", "good")], test=[("c", "good")])
    with pytest.raises(InputError, match=r"has no validation split, .*; strop data split makes"):
        load_splits(tmp_path)


def test_two_files_for_one_split_are_refused(tmp_path: Path) -> None:
    _folder(tmp_path, train=[("a", "good")])
    (tmp_path / "train.jsonl").write_text("{}")
    with pytest.raises(InputError, match=r"has train.jsonl and train.csv; keep one"):
        load_splits(tmp_path)


def test_too_few_texts_for_three_splits_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "few.csv"
    path.write_text("text,label\nb,good\nc,bad\n")
    with pytest.raises(InputError, match=r"its validation split is empty; give it more texts"):
        load_splits(path)
