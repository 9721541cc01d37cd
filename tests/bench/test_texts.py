"""The texts of a benchmark."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strop.bench.columns import Columns
from strop.bench.texts import group, read_texts
from strop.errors import InputError
from strop.tasks import TASKS, Example

ONE = Columns.of(TASKS["text-classification"], 1)


def test_texts_and_labels_are_read_in_order(tmp_path: Path) -> None:
    file = tmp_path / "texts.jsonl"
    file.write_text(
        '{"text": "a\u2028b", "label": "x"}\n\n{"text": "b", "label": 3}\n{"text": ""}\n', "utf-8"
    )
    texts = read_texts(file, ONE)
    assert texts.texts == (("a\u2028b",), ("b",), ("",))
    assert texts.examples == (Example("a\u2028b", "x"), Example("b", "3"), None)


def test_rows_are_read_as_their_task_wants_them(tmp_path: Path) -> None:
    file = tmp_path / "texts.jsonl"
    file.write_text('{"left": "a", "text_pair": "b", "score": "4.5"}\n{"left": "c", "text_pair": "d"}\n')
    texts = read_texts(file, Columns.of(TASKS["regression"], 2, text="left"))
    assert texts.texts == (("a", "b"), ("c", "d"))
    assert texts.examples == (Example("a", 4.5, "b"), None)
    file.write_text(
        '{"tokens": ["Angela", "Merkel"], "tags": ["B-PER", "I-PER"]}\n'
        '{"tokens": "as it  came"}\n{"tokens": ["a", "b"], "tags": null}\n'
    )
    texts = read_texts(file, Columns.of(TASKS["token-classification"], 1))
    assert texts.texts == (("Angela Merkel",), ("as it  came",), ("a b",))
    assert texts.examples == (Example("Angela Merkel", ("B-PER", "I-PER")), None, None)


def test_a_second_column_is_refused_where_the_model_takes_one_text() -> None:
    with pytest.raises(InputError, match="--pair-column other: the model takes one text; leave it out"):
        Columns.of(TASKS["regression"], 1, pair="other")


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b'{"text": "\xff"}', "not UTF-8"),
        (b'{"text": "a"}\nplain', "line 2 is not JSON"),
        (b'{"sentence": "a"}', "line 1 has no 'text'; it has: sentence \\(see --text-column\\)"),
        (b'{"text": 3}', "line 1: 'text' is 3, not text"),
        (b'{"text": " ", "label": "a"}', "line 1: 'text' is blank"),
        (b'{"text": "a", "label": 1.5}', "line 1: 'label' is 1.5; a class is a name"),
        (b'{"text": "\\ud800"}', "line 1: 'text' .*surrogates not allowed"),
        (b"[1]", 'line 1 is not an object; write {"text": '),
        (b'{"text": "a", "arrived": "noon"}', "line 1: \"arrived\" is 'noon'"),
        (b'{"text": "a", "arrived": NaN}', 'line 1: "arrived" is nan'),
        (b'{"text": "a", "arrived": 1}\n{"text": "b"}', 'only 1 of 2 lines have "arrived"'),
        (b'{"text": "a", "arrived": 2}\n{"text": "b", "arrived": 1}', '"arrived" runs backwards'),
        (b'{"text": "a", "arrived": 2}\n{"text": "b", "arrived": 2}', "every text"),
    ],
)
def test_a_file_that_is_wrong_is_named_with_the_line(
    tmp_path: Path, content: bytes, complaint: str
) -> None:
    file = tmp_path / "texts.jsonl"
    file.write_bytes(content)
    with pytest.raises(InputError, match=complaint) as raised:
        read_texts(file, ONE)
    assert str(file) in str(raised.value)


def test_a_trace_is_read_and_keeps_its_order(tmp_path: Path) -> None:
    file = tmp_path / "trace.jsonl"
    file.write_text('{"text": "a", "arrived": 3}\n{"text": "b", "arrived": 3.5}\n')
    texts = read_texts(file, ONE)
    assert texts.arrived == (3, 3.5)
    assert group(len(texts.texts), 1, None) == [(0,), (1,)]


@given(st.integers(1, 50), st.integers(1, 9), st.integers(0, 99))
def test_one_round_of_calls_asks_every_text(count: int, per_call: int, seed: int) -> None:
    calls = group(count, per_call, seed)
    flat = [text for call in calls for text in call]
    assert all(len(call) == per_call for call in calls)
    assert sorted(flat[:count]) == list(range(count))
    assert calls == group(count, per_call, seed)
