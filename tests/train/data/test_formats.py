"""Each format: what comes out of a file, and what is said of a bad one."""

import csv
import gzip
import json
import tracemalloc
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from strop.errors import InputError
from strop.train.data.rows import PACKED, READERS, find_split, read_rows

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
LINE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), min_size=1)
WORD = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\t "), min_size=1)
ROWS = st.lists(st.fixed_dictionaries({"text": TEXT, "label": TEXT}), min_size=1, max_size=5)


def _read(path: Path) -> list[Mapping[str, object]]:
    return [row for _, row in read_rows(path)]


def _write_csv(path: Path, rows: list[dict[str, str]], delimiter: str = ",") -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, rows[0], delimiter=delimiter)
        table.writeheader()
        table.writerows(rows)


@given(ROWS)
def test_any_text_survives_jsonl_csv_and_parquet(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    lines = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)
    (folder / "a.jsonl").write_bytes(lines.encode())
    (folder / "a.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    _write_csv(folder / "a.csv", rows)
    parquet.write_table(pa.Table.from_pylist(rows), folder / "a.parquet")
    for path in folder.iterdir():
        assert _read(path) == rows, path


@given(st.lists(st.fixed_dictionaries({"text": LINE, "label": LINE}), min_size=1, max_size=5))
def test_any_line_survives_tsv(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, str]]
) -> None:
    path = tmp_path_factory.mktemp("any") / "a.tsv"
    _write_csv(path, rows, "\t")
    assert _read(path) == rows


def test_a_csv_with_semicolons_is_read_as_excel_meant_it(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('text;score\r\n"well; good";4,5\r\n', encoding="utf-8-sig")
    assert _read(path) == [{"text": "well; good", "score": "4,5"}]


def test_a_tsv_that_does_not_quote_keeps_its_quotes(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text('text\tlabel\n"Fine" he said\tgood\n"open\tbad\n"all ""of"" it"\tgood\n')
    assert [row["text"] for row in _read(path)] == ['"Fine" he said', '"open', 'all "of" it']


@given(
    st.lists(
        st.lists(st.tuples(WORD.filter(lambda word: word != "-DOCSTART-"), WORD), min_size=1),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from(["\t", " "]),
)
def test_any_sentence_survives_conll(
    tmp_path_factory: pytest.TempPathFactory, sentences: list[list[tuple[str, str]]], between: str
) -> None:
    path = tmp_path_factory.mktemp("any") / "a.conll"
    lines = ["".join(f"{between.join(columns)}\n" for columns in sentence) for sentence in sentences]
    path.write_bytes("\n".join(lines).encode())
    assert _read(path) == [
        {"tokens": [token for token, _ in sentence], "tags": [tag for _, tag in sentence]}
        for sentence in sentences
    ]


def test_conll_takes_the_first_and_last_column_and_skips_document_starts(tmp_path: Path) -> None:
    path = tmp_path / "a.iob2"
    path.write_text("-DOCSTART- -X- O O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\n\n\nPeter NNP B-NP B-PER")
    assert list(read_rows(path)) == [
        (f"{path} line 3", {"tokens": ["EU", "rejects"], "tags": ["B-ORG", "O"]}),
        (f"{path} line 7", {"tokens": ["Peter"], "tags": ["B-PER"]}),
    ]


def _squad(question: Mapping[str, object]) -> str:
    paragraph = {"context": "Oslo is in Norway.", "qas": [question]}
    return json.dumps({"version": "v2.0", "data": [{"title": "Oslo", "paragraphs": [paragraph]}]})


def test_squad_gives_a_row_for_each_question_with_an_answer_or_without(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    asked = {"id": "1", "question": "Where?", "answers": [{"text": "Norway", "answer_start": 11}]}
    path.write_text(_squad(asked))
    ((where, row),) = read_rows(path)
    assert where == f"{path} data[0].paragraphs[0].qas[0]"
    assert row == {
        "id": "1",
        "title": "Oslo",
        "question": "Where?",
        "context": "Oslo is in Norway.",
        "answers": {"text": ["Norway"], "answer_start": [11]},
    }
    path.write_text(_squad({"id": "2", "question": "Who?", "is_impossible": True, "answers": []}))
    assert _read(path)[0]["answers"] == {"text": [], "answer_start": []}


def _save(folder: Path, table: pa.Table) -> None:
    """Save a split as datasets 5.2 does."""
    folder.mkdir(parents=True)
    with pa.ipc.new_stream(folder / "data-00000-of-00001.arrow", table.schema) as stream:
        stream.write_table(table, max_chunksize=2)
    (folder / "state.json").write_text('{"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}')


def test_classes_that_datasets_numbered_come_back_by_name(tmp_path: Path) -> None:
    classes = {"names": ["bad", "good"], "_type": "ClassLabel"}
    features = {"label": classes, "tags": {"feature": classes, "_type": "List"}, "n": {"_type": "Value"}}
    rows = {"label": [1, 0, -1], "tags": [[0], [1, 0], []], "n": [1, 2, 3]}
    table = pa.table(rows).replace_schema_metadata(
        {"huggingface": json.dumps({"info": {"features": features}})}
    )
    _save(tmp_path / "train", table)
    parquet.write_table(table, tmp_path / "a.parquet")
    expected = [
        {"label": "good", "tags": ["bad"], "n": 1},
        {"label": "bad", "tags": ["good", "bad"], "n": 2},
        {"label": None, "tags": [], "n": 3},
    ]
    assert find_split(tmp_path, "train") == tmp_path / "train"
    assert list(read_rows(tmp_path / "train"))[2][0] == f"{tmp_path / 'train'} row 3"
    assert _read(tmp_path / "train") == _read(tmp_path / "a.parquet") == expected


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"text,text\na,b\n", r"line 1 names the column 'text' twice"),
        ("a.tsv", b"text\tlabel\na\n", r"line 2 has 1 values, but the header has 2"),
        ("a.conll", b"EU B-ORG\nalone\n", r"line 2 is 'alone'; give a token in the first column"),
        ("a.conll", b"EU NNP B-ORG\nis O\n", r"line 2 has 2 columns, but line 1 has 3"),
        ("a.json", b"[", r"a.json is not JSON"),
        ("a.json", b"[]", r"a.json is not SQuAD: no 'data' at its top"),
        ("a.json", b'{"data": [4]}', r"a.json data\[0\] is 4; SQuAD has an object there"),
        ("a.json", b'{"data": [{}]}', r"a.json data\[0\] has no 'paragraphs'"),
        ("a.json", _squad({"id": 7}).encode(), r"qas\[0\]: 'id' is 7; SQuAD has a str there"),
        ("a.json", _squad({"id": "7", "question": "?"}).encode(), r"qas\[0\] has no 'answers'"),
        ("a.jsonl", b"[" * 100_000, r"line 1 is not JSON"),
        ("a.jsonl.gz", b"no", r"a.jsonl.gz is not a whole gzip file"),
        ("a.jsonl.gz", gzip.compress(b'{"text": 1}\n' * 99)[:-9], r"is not a whole gzip file"),
    ],
)
def test_a_bad_file_is_refused_with_its_place_and_the_fix(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        _read(tmp_path / name)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        (b"{}", r"state.json is not what datasets writes"),
        (b'{"_data_files": [{"filename": "b.arrow"}]}', r"b.arrow does not exist, but .* names it"),
        (b'{"_data_files": [{"filename": "a.arrow"}]}', r"a.arrow is not an Arrow file"),
    ],
)
def test_a_saved_folder_that_is_not_whole_is_refused(tmp_path: Path, state: bytes, message: str) -> None:
    (tmp_path / "state.json").write_bytes(state)
    (tmp_path / "a.arrow").write_bytes(b"no")
    with pytest.raises(InputError, match=message):
        _read(tmp_path)


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    folder = tmp_path_factory.mktemp("any")
    for end in (*READERS, *PACKED):
        path = folder / f"a{end}"
        path.write_bytes(content)
        with suppress(InputError):
            _read(path)


@pytest.mark.parametrize("end", [".jsonl", ".csv", ".tsv", ".parquet", ".conll"])
def test_a_file_is_never_held_whole(tmp_path: Path, end: str) -> None:
    path = tmp_path / f"a{end}"
    rows = [{"text": f"text number {number} " + "x" * 500, "label": "a"} for number in range(8000)]
    if end == ".parquet":
        parquet.write_table(pa.Table.from_pylist(rows), path, row_group_size=100)
    elif end in {".csv", ".tsv"}:
        _write_csv(path, rows, "," if end == ".csv" else "\t")
    elif end == ".conll":
        path.write_text("".join(f"{row['text'].replace(' ', '_')} O\n\n" for row in rows))
    else:
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    next(iter(read_rows(path)))  # imports count for nothing
    tracemalloc.start()
    count = sum(1 for _ in read_rows(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == len(rows)
    assert peak < 2_000_000
