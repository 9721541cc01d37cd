"""Dividing by a hash, by rank within a class, and what leaks."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strop.errors import InputError
from strop.train.data.content import content_columns, key_of, normalised
from strop.train.data.leaks import Leaks
from strop.train.data.shares import SPLITS, Shares, Strata

KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=3)
ROWS = st.lists(st.tuples(KEYS, st.sampled_from("abc")))


@given(st.integers(0, 10**6))
def test_the_shares_roughly_hold(start: int) -> None:
    shares = Shares("60:30:10")
    found = Counter(shares.split_of(f"text {start + number}") for number in range(2000))
    assert found["train"] / 2000 == pytest.approx(0.6, abs=0.07)
    assert found["validation"] / 2000 == pytest.approx(0.3, abs=0.07)


def test_the_split_of_a_text_is_pinned() -> None:
    assert [Shares().split_of(text) for text in ("a", "b", "c", "d")] == [
        "validation",
        "train",
        "train",
        "train",
    ]


@given(KEYS)
def test_only_the_proportions_of_a_ratio_count(key: str) -> None:
    assert len({Shares(ratio).split_of(key) for ratio in ("7:2:1", "70/20/10", "0.7:0.2:0.1")}) == 1


@pytest.mark.parametrize(
    "ratio", ["90:10", "70:30:0", "1:1:1:1", "a:b:c", "nan:1:1", "inf:1:1", "-1:1:1", ""]
)
def test_a_ratio_that_leaves_a_split_empty_is_refused(ratio: str) -> None:
    with pytest.raises(InputError, match=r"--ratio is .*; give three numbers above 0"):
        Shares(ratio)


@given(st.integers(1, 300), st.integers(1, 30))
def test_strata_hold_the_ratio_to_within_a_text(many: int, few: int) -> None:
    rows = [(f"a{number}", "a") for number in range(many)] + [(f"b{number}", "b") for number in range(few)]
    strata = Strata(Shares("7:2:1"), rows)
    counts = Counter((name, strata.split_of(key)) for key, name in rows)
    for name, total in (("a", many), ("b", few)):
        for split, share in zip(SPLITS, (0.7, 0.2, 0.1), strict=True):
            assert abs(counts[name, split] - share * total) <= 1


@given(ROWS, st.randoms())
def test_strata_divide_the_same_rows_alike_in_any_order(
    rows: list[tuple[str, str]], chance: Random
) -> None:
    shuffled = list(rows)
    chance.shuffle(shuffled)
    one, other = Strata(Shares(), rows), Strata(Shares(), shuffled)
    assert [one.split_of(key) for key, _ in rows] == [other.split_of(key) for key, _ in rows]


@given(st.lists(st.tuples(st.sampled_from(SPLITS), KEYS)))
def test_what_is_kept_leaks_nothing_and_keeps_the_test(rows: list[tuple[str, str]]) -> None:
    leaks = Leaks(rows)
    kept = [row for row in rows if row not in leaks]
    assert [row for row in kept if row[0] == "test"] == [row for row in rows if row[0] == "test"]
    splits: dict[str, set[str]] = {}
    for split, key in kept:
        splits.setdefault(normalised(key), set()).add(split)
    assert all(len(names) == 1 for names in splits.values())
    assert {normalised(key) for _, key in rows} == set(splits)


def test_texts_are_alike_but_for_case_space_and_form() -> None:
    assert normalised("  Ｆine\u00a0 Day\n") == normalised("fine day")
    assert normalised("fine day") != normalised("fine, day")


@pytest.mark.parametrize(
    ("row", "columns"),
    [
        ({"text": "a", "label": "b"}, ("text",)),
        ({"label": "b", "text_pair": "c", "text": "a"}, ("text", "text_pair")),
        ({"tokens": ["a"], "tags": ["O"]}, ("tokens",)),
        ({"question": "a", "context": "b", "answers": {}}, ("context", "question")),
        ({"turns": ["a", "b"], "topic": "c"}, ("turns",)),
    ],
)
def test_the_content_of_a_row_is_found_by_its_columns(
    row: dict[str, object], columns: tuple[str, ...]
) -> None:
    assert content_columns("here", row) == columns


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"body": "a"}, r"here has no column to learn from; it has: body \(see --text-column\)"),
        ({"tokens": []}, r"here: 'tokens' is empty"),
        ({"tokens": [" "]}, r"here: 'tokens' is blank"),
        ({"text1": "a", "text2": None}, r"here: 'text2' is empty"),
        ({"turns": ["\ud800"]}, r"here: 'turns' holds half a surrogate pair"),
    ],
)
def test_a_row_without_content_is_refused(row: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        key_of("here", row, content_columns("here", row))
