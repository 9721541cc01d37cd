"""The texts of a benchmark."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strop.bench.texts import group, read_texts
from strop.errors import InputError


def test_texts_and_labels_are_read_in_order(tmp_path: Path) -> None:
    file = tmp_path / "texts.jsonl"
    file.write_text(
        '{"text": "a\u2028b", "label": "x"}\n\n{"text": "", "label": 3}\n{"text": "c"}\n', "utf-8"
    )
    texts = read_texts(file)
    assert texts.texts == ("a\u2028b", "", "c")
    assert texts.labels == ("x", "3", None)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b'{"text": "\xff"}', "not UTF-8"),
        (b'{"text": "a"}\nplain', "line 2 is not JSON"),
        (b'{"sentence": "a"}', 'line 1 has no "text"'),
        (b'{"text": 3}', 'line 1 has no "text"'),
        (b"[1]", 'line 1 has no "text"'),
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
        read_texts(file)
    assert str(file) in str(raised.value)


def test_a_trace_is_read_and_keeps_its_order(tmp_path: Path) -> None:
    file = tmp_path / "trace.jsonl"
    file.write_text('{"text": "a", "arrived": 3}\n{"text": "b", "arrived": 3.5}\n')
    texts = read_texts(file)
    assert texts.arrived == (3, 3.5)
    assert group(len(texts.texts), 1, None) == [(0,), (1,)]


@given(st.integers(1, 50), st.integers(1, 9), st.integers(0, 99))
def test_one_round_of_calls_asks_every_text(count: int, per_call: int, seed: int) -> None:
    calls = group(count, per_call, seed)
    flat = [text for call in calls for text in call]
    assert all(len(call) == per_call for call in calls)
    assert sorted(flat[:count]) == list(range(count))
    assert calls == group(count, per_call, seed)
