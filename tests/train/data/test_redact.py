"""strop data redact: what is masked, what survives, and that offsets stay right."""

import csv
import gzip
import json
import string
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import phonenumbers
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from stdnum import iban, luhn
from stdnum.cn import ric
from stdnum.es import dni
from stdnum.fr import nir

from strop.errors import InputError
from strop.redaction import finder
from strop.train.data.redaction.command import RedactConfig, redact
from strop.train.data.redaction.masking import Masker
from strop.train.data.rows import read_rows

PROPERTY = settings(max_examples=60)
FIND = finder()
BEFORE = st.sampled_from(["", "my number is ", "(", "号码", "1 ", "No. ", "x: "])
AFTER = st.sampled_from(["", " please", ".", ", or 7", ")", "号", " 2", "\n"])


def _digits(count: int) -> st.SearchStrategy[str]:
    return st.text("0123456789", min_size=count, max_size=count)


def _card(front: str, digits: int) -> st.SearchStrategy[str]:
    body = _digits(digits - len(front) - 1).map(lambda rest: front + rest)
    return body.map(lambda number: number + luhn.calc_check_digit(number))


CARDS = st.one_of(_card("4", 16), _card("51", 16), _card("37", 15), _card("6011", 16), _card("3530", 16))
GROUPED = CARDS.flatmap(
    lambda number: st.sampled_from(["", " ", "-"]).map(
        lambda sign: sign.join(number[start : start + 4] for start in range(0, len(number), 4))
    )
)
IBANS = _digits(18).map(
    lambda account: iban.format(f"DE{iban.calc_check_digits('DE00' + account)}{account}")
)
RESIDENTS = st.builds(
    lambda place, date, order: (
        (number := f"{place}{date:%Y%m%d}{order}") + ric.calc_check_digit(number + "0")
    ),
    st.sampled_from(["110101", "310115", "440305"]),
    st.dates(min_value=date(1930, 1, 1)),
    _digits(3),
)
DNIS = _digits(8).map(lambda number: number + dni.calc_check_digit(number))
NIRS = st.builds(
    lambda sex, year, month, rest: (
        (number := f"{sex}{year}{month:02}75{rest}") + nir.calc_check_digits(number)
    ),
    st.sampled_from("12"),
    _digits(2),
    st.integers(1, 12),
    _digits(6),
)


def _masked(text: str) -> str:
    return Masker(FIND).text(text)


@PROPERTY
@given(
    st.one_of(
        st.tuples(GROUPED, st.just("CARD")),
        st.tuples(IBANS, st.just("IBAN")),
        st.tuples(st.one_of(RESIDENTS, DNIS, NIRS), st.just("ID")),
    ),
    BEFORE,
    AFTER,
)
def test_a_valid_number_is_masked_wherever_it_stands(
    number: tuple[str, str], before: str, after: str
) -> None:
    written, kind = number
    assert _masked(f"{before}{written}{after}") == f"{before}[{kind}]{after}"


@PROPERTY
@given(st.one_of(GROUPED, IBANS, RESIDENTS, DNIS, NIRS), st.data())
def test_the_same_number_with_one_digit_changed_is_no_such_number(number: str, data: st.DataObject) -> None:
    place = data.draw(st.sampled_from([at for at, sign in enumerate(number) if sign.isdigit()]))
    other = data.draw(st.sampled_from(string.digits.replace(number[place], "")))
    wrong = number[:place] + other + number[place + 1 :]
    right = {(span.start, span.end, span.kind) for span in FIND(number)}
    assert not right & {(span.start, span.end, span.kind) for span in FIND(wrong)}


@PROPERTY
@given(st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS)))
def test_every_countrys_example_number_is_masked(region: str) -> None:
    number = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    if number is None:
        return
    written = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    assert _masked(f"Call {written}, please") == "Call [PHONE], please"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("write to a.b+c@x-y.co.uk.", "write to [EMAIL]."),
        ("写信给ann@example.com谢谢", "写信给[EMAIL]谢谢"),
        ("SSN 536-90-4399", "SSN [ID]"),
        ("Steuer-ID 36 574 261 809", "Steuer-ID [ID]"),
        ("CPF 529.982.247-25", "CPF [ID]"),
        ("DE89 3704 0044 0532 0130 00 BITTE SOFORT", "[IBAN] BITTE SOFORT"),
        ("two: 4111 1111 1111 1111 378282246310005", "two: [CARD] [CARD]"),
    ],
)
def test_what_is_found_is_replaced_by_its_kind(text: str, expected: str) -> None:
    assert _masked(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "on 2026-11-22 at 10:30, or 12/05/2024, 20240512",
        "$1,234,567.89 and 1.234.567,89 €, 4999.00",
        "order 10023456789, invoice 2024-000123, parcel 00340434292135100186",
        "v1.2.3, 10.0.0.1, 2001:db8::1, build 20240512.1",
        "1996 1995 1996 1995",
        "ISBN 978-3-16-148410-0, page 12-13",
        "@handle, a@b, name at example.com",
        "000-12-3456, 666-12-3456, 536-00-4399",
        "3.14159265358979, 1234567890123456",
        "1-178 2-225 3-240 4-247 5-252 6-260 7-261 8-269 9-276",  # the fall of wickets
        "36574261809",  # a tax number as much as an order's
        "(415) 555-2671",  # of no country unless --region says so
    ],
)
def test_harmless_numbers_survive(text: str) -> None:
    assert _masked(text) == text


def test_a_region_finds_its_own_phone_numbers() -> None:
    assert Masker(finder("US")).text("(415) 555-2671, order 4155552671") == "[PHONE], order 4155552671"
    assert Masker(finder("CN")).text("电话13800138000") == "电话[PHONE]"
    with pytest.raises(InputError, match=r"--region is 'gb'; give a country's two capital letters"):
        finder("gb")


@PROPERTY
@given(st.text(max_size=200))
def test_any_text_is_masked_and_masking_again_changes_nothing(text: str) -> None:
    once = _masked(text)
    assert _masked(once) == once


def test_tokens_keep_their_tags_when_a_number_runs_over_several() -> None:
    row = {
        "tokens": ["Ann", "+31", "20", "504", "5000", "(a@b.org)", "."],
        "tags": ["B-PER", *"OOOOO", "O"],
        "pos": ["NNP"] * 7,
    }
    masked = Masker(FIND).row(("here", row))
    assert masked == {
        **row,
        "tokens": ["Ann", "[PHONE]", "[PHONE]", "[PHONE]", "[PHONE]", "([EMAIL])", "."],
    }


@pytest.mark.parametrize("lists", [True, False])
def test_an_answer_still_stands_where_it_says(lists: bool) -> None:
    context = "Write to ann@example.com in Oslo, or +47 22 12 34 56 in Bergen."
    found = [(context.index(text), text) for text in ("Oslo", "Bergen", "ann@example.com")]
    answers: Any = [{"text": text, "answer_start": start} for start, text in found]
    if lists:
        answers = {"text": [text for _, text in found], "answer_start": [start for start, _ in found]}
    masked: Mapping[str, Any] = Masker(FIND).row(("here", {"context": context, "answers": answers}))
    if lists:
        pairs = list(zip(masked["answers"]["text"], masked["answers"]["answer_start"], strict=True))
    else:
        pairs = [(answer["text"], answer["answer_start"]) for answer in masked["answers"]]
    assert [text for text, _ in pairs] == ["Oslo", "Bergen", "[EMAIL]"]
    for text, start in pairs:
        assert masked["context"][start:].startswith(text)


def _content(suffix: str, text: str) -> bytes:
    if suffix == ".csv":
        return f'text,label,n\n"{text}, yes",good,1\nfine,bad,2\n'.encode()
    if suffix == ".tsv":
        return f"text\tlabel\tn\n{text}\tgood\t1\nfine\tbad\t2\n".encode()
    if suffix == ".conll":
        return f"-DOCSTART- -X- O\n\nwrite VB O\n{text} NN B-X\n\nfine JJ O\n".encode()
    if suffix == ".json":
        question = {
            "id": "1",
            "question": "who?",
            "answers": [{"text": "Oslo", "answer_start": len(text) + 1}],
        }
        paragraph = {"context": f"{text} Oslo", "qas": [question]}
        return json.dumps({"version": "1.1", "data": [{"title": "T", "paragraphs": [paragraph]}]}).encode()
    return "".join(f"{json.dumps({'text': t, 'label': 'ä', 'n': 1})}\n" for t in (text, "fine")).encode()


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".tsv", ".conll", ".json", ".parquet", ".jsonl.gz"])
def test_the_format_and_all_else_stay_as_they_were(tmp_path: Path, suffix: str) -> None:
    source, target = tmp_path / f"a{suffix}", tmp_path / "new" / f"b{suffix}"
    expected = _content(suffix.removesuffix(".gz"), "[EMAIL]")
    if suffix == ".parquet":
        schema = pa.schema([("text", pa.string()), ("n", pa.int8())])
        rows = [{"text": "ann@example.com", "n": 1}, {"text": None, "n": 2}]
        parquet.write_table(pa.Table.from_pylist(rows, schema), source)
    elif suffix == ".jsonl.gz":
        source.write_bytes(gzip.compress(_content(".jsonl", "ann@example.com")))
    else:
        source.write_bytes(_content(suffix, "ann@example.com"))
    redact(RedactConfig(source, target))
    if suffix == ".parquet":
        written = parquet.read_table(target)
        assert written.schema == schema
        assert written.to_pylist() == [{**rows[0], "text": "[EMAIL]"}, rows[1]]
    elif suffix == ".jsonl.gz":
        assert json.loads(gzip.decompress(target.read_bytes()).split(b"\n")[0])["text"] == "[EMAIL]"
        assert len(list(read_rows(target))) == 2
    elif suffix in {".csv", ".tsv"}:
        sign = "," if suffix == ".csv" else "\t"
        with target.open(newline="") as file:
            assert list(csv.reader(file, delimiter=sign)) == list(
                csv.reader(expected.decode().splitlines(), delimiter=sign)
            )
    elif suffix == ".json":
        assert json.loads(target.read_bytes()) == json.loads(expected)
    elif suffix == ".conll":
        assert target.read_bytes() == expected
    else:
        assert target.read_text().splitlines() == [
            json.dumps(json.loads(line), ensure_ascii=False) for line in expected.splitlines()
        ]


def test_counts_are_told_and_nothing_that_was_masked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        {"text": "ann@example.com and bob@example.com"},
        {"context": "ask ann@example.com", "answers": {"text": ["example"], "answer_start": [8]}},
        {"context": "ask", "answers": {"text": ["bob@example.com"], "answer_start": [8]}},
    ]
    (tmp_path / "train.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    redact(RedactConfig(tmp_path, tmp_path / "masked"))
    output = capsys.readouterr()
    assert "masked: masked EMAIL 2, IBAN 0, ID 0, CARD 0, PHONE 0" in output.out
    assert "train.jsonl line 2: an answer is part of what must be masked" in output.err
    assert "train.jsonl line 3: 'answers' has '[EMAIL]', which does not stand" in output.err
    assert "example" not in output.out + output.err
    assert [dict(row) for _, row in read_rows(tmp_path / "masked" / "train.jsonl")] == [
        {"text": "[EMAIL] and [EMAIL]"}
    ]


def test_a_copy_that_would_overwrite_or_change_format_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "a.jsonl"
    source.write_text("{oops")
    with pytest.raises(InputError, match=r"a.jsonl exists; give another name"):
        RedactConfig(source, source)
    with pytest.raises(InputError, match=r"b.csv is of another format than .*; end it in .jsonl"):
        RedactConfig(source, tmp_path / "b.csv")
    with pytest.raises(InputError, match=r"line 1 is not JSON"):
        redact(RedactConfig(source, tmp_path / "b.jsonl"))
    assert list(tmp_path.iterdir()) == [source]
