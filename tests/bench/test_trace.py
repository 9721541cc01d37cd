"""A trace in a file of its own."""

import gzip
from pathlib import Path

import pytest

from strop.bench.trace import read_trace
from strop.errors import InputError


@pytest.mark.parametrize(
    "text",
    [
        "arrival_s,tokens\n5,1\n6.5,2\n5.5,3\n",
        "n,TIMESTAMP\n1,2026-01-01 10:00:00.0000000\n2,2026-01-01 10:00:01.5\n3,2026-01-01 10:00:00.5\n",
        "seconds\n0\n1.5\n0.5\n",
    ],
)
@pytest.mark.parametrize("name", ["trace.csv", "trace.csv.gz"])
def test_times_are_read_whatever_their_form_and_count_from_the_first(
    tmp_path: Path, text: str, name: str
) -> None:
    file = tmp_path / name
    file.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    assert read_trace(file) == pytest.approx((0.0, 0.5, 1.5))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b"arrived\n1\nsoon\n", "line 3: 'arrived' is 'soon'; it must be a number of seconds or an ISO"),
        (b"arrived\n1\nnan\n", "line 3: 'arrived' is 'nan'"),
        (b"arrived\n1\n1\n", "has 2 arrivals; it needs two at different times"),
        (b"", "has 0 arrivals"),
        (b"\xff\xff", "is no CSV in UTF-8"),
    ],
)
def test_what_is_no_trace_is_said_with_its_line(tmp_path: Path, text: bytes, complaint: str) -> None:
    file = tmp_path / "trace.csv"
    file.write_bytes(text)
    with pytest.raises(InputError, match=complaint):
        read_trace(file)


def test_a_file_that_is_not_there_or_not_gzipped_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be read: No such file"):
        read_trace(tmp_path / "none.csv")
    (tmp_path / "plain.gz").write_text("arrived\n1\n2\n", encoding="utf-8")
    with pytest.raises(InputError, match="is no CSV"):
        read_trace(tmp_path / "plain.gz")
