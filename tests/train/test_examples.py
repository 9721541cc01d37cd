"""Reading labelled files: what comes out, and what is said of a bad row."""

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from strop.errors import InputError
from strop.tasks import Example
from strop.train.examples import Columns, read_examples

EXAMPLES = [
    Example('comma, "quote" and \u2028 line separator', "good"),
    Example("two\nlines, ünïcode 🙂", "schlecht"),
]


def _write_jsonl(path: Path) -> None:
    rows = ({"text": e.text, "label": e.label, "more": 1} for e in EXAMPLES)
    path.write_text("\n\n".join(json.dumps(row, ensure_ascii=False) for row in rows))


def _write_csv(path: Path) -> None:
    rows = (f'"{e.text.replace(chr(34), chr(34) * 2)}",{e.label}\n' for e in EXAMPLES)
    path.write_bytes(b"\xef\xbb\xbf" + ("text,label\n" + "".join(rows)).encode())


def _write_parquet(path: Path) -> None:
    table = {"text": [e.text for e in EXAMPLES], "label": [e.label for e in EXAMPLES]}
    parquet.write_table(pa.table(table), path)


@pytest.mark.parametrize("write", [_write_jsonl, _write_csv, _write_parquet])
def test_the_three_formats_hold_the_same_examples(tmp_path: Path, write: Callable[[Path], None]) -> None:
    path = tmp_path / f"data.{write.__name__.removeprefix('_write_')}"
    write(path)
    assert read_examples(path) == EXAMPLES


def test_whole_numbers_are_class_names_too(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text('{"review": "fine", "stars": 4}')
    assert read_examples(path, Columns.of("text-classification", text="review", label="stars")) == [
        Example("fine", "4")
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", b"", "a.jsonl has no rows"),
        ("a.csv", b"text,label\n", "a.csv has no rows"),
        ("a.txt", b"x", r"can't be read; give a file that ends in .jsonl, .csv, .tsv, .parquet"),
        ("a.jsonl", b'{"text": "a"}', r"line 1 has no column 'label'; it has: text .*--label-col"),
        ("a.csv", b"txt,label\na,b\n", r"line 2 has no column 'text'; it has: txt, label"),
        ("a.csv", b"text,label\na,b\n,b\n", r"line 3: 'text' is empty"),
        ("a.jsonl", b'{"text": " \\t", "label": "b"}', r"line 1: 'text' is blank"),
        ("a.jsonl", b'{"text": 7, "label": "b"}', r"line 1: 'text' is 7, not text"),
        ("a.jsonl", b'{"text": "a", "label": null}', r"line 1: 'label' is empty"),
        ("a.jsonl", b'{"text": "a", "label": 0.5}', r"line 1: 'label' is 0.5; a class is"),
        ("a.jsonl", b'{"text": "a", "label": true}', r"line 1: 'label' is True; a class is"),
        ("a.jsonl", b'{"text": "\\ud83d", "label": "b"}', r"half a surrogate pair at character 0"),
        ("a.jsonl", b'\n{"text": oops}', r"line 2 is not JSON"),
        ("a.jsonl", b"[1, 2]", r"line 1 is '\[1, 2\]'; write one JSON object a line"),
        ("a.csv", b"text,label\na,b,c\n", r"line 2 has more values than the header"),
        ("a.csv", b'text,label\n"a,b\n', r"line 2 is not CSV"),
        ("a.csv", b"text,label\na,b\ncaf\xe9,b\n", r"line 3 is not UTF-8 \(byte 0xe9 at offset 18"),
        ("a.parquet", b"no", r"a.parquet is not a Parquet file"),
    ],
)
def test_a_bad_file_is_refused_with_its_place_and_the_fix(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as refusal:
        read_examples(tmp_path / name)
    assert "\n" not in str(refusal.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none.csv does not exist"):
        read_examples(tmp_path / "none.csv")


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    folder = tmp_path_factory.mktemp("any")
    for name in ("a.csv", "a.jsonl"):
        (folder / name).write_bytes(content)
        with pytest.raises(InputError):
            read_examples(folder / name)
