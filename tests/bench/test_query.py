"""``strop query`` as a user runs it, against a fake server in another process."""

import io
from typing import Any

import pytest

from strop.bench.ask import texts_of
from strop.errors import InputError


def test_both_apis_answer_with_label_score_and_times(
    strop: Any, server: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert strop("query", server.address, "good [film]", "--protocol", "both") == 0
    printed = capsys.readouterr().out
    rows = [line.split() for line in printed.splitlines() if line.strip().startswith("good [film]")]
    typed, open_inference = rows
    assert typed[2:-1] == ["good", "0.7500", "1.00", "2.00", "3.00"]
    assert float(typed[-1]) >= 2
    assert open_inference[2:-1] == ["good", "0.7500", "–", "–", "–"]
    assert "fake 1 int8, typed API" in printed


def test_top_k_shows_the_next_labels(strop: Any, server: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert strop("query", server.address, "good", "--top-k", "0") == 0
    printed = capsys.readouterr().out
    assert "other" in printed
    assert "0.2500" in printed


def test_without_a_text_the_lines_of_the_standard_input_are_asked(
    strop: Any, server: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("good one\nbad one\n"))
    assert strop("query", server.address) == 0
    printed = capsys.readouterr().out
    assert "good one" in printed
    assert "bad one" in printed


@pytest.mark.parametrize("raw", ["no \udcff text", "\udcfe"])
def test_a_text_that_is_not_utf8_is_named(
    strop: Any, server: Any, raw: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert strop("query", server.address, "good", raw) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "text 2 is not UTF-8" in line


def test_a_text_is_shown_as_it_is_and_a_long_one_by_its_beginning(
    strop: Any, server: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert strop("query", server.address, "[b]:smile:", "good " * 1000) == 0
    printed = capsys.readouterr().out
    assert "[b]:smile:" in printed
    assert "…" in printed
    assert printed.count("good good") < 20


def test_texts_that_are_judged_together_stand_beside_each_other() -> None:
    assert texts_of(["a", "b", "c"], [], 1) == [("a",), ("b",), ("c",)]
    assert texts_of(["a", "b", "c", "d"], [], 2) == [("a", "b"), ("c", "d")]
    assert texts_of([], ["a\tb", "c\td"], 2) == [("a", "b"), ("c", "d")]
    assert texts_of([], ["a\tb"], 1) == [("a\tb",)]


@pytest.mark.parametrize(
    ("words", "lines", "complaint"),
    [
        (["a", "b", "c"], [], "judges 2 texts together, and there are 3; pair them"),
        ([], ["a\tb", "c"], "line 2 has 1 texts, and the model judges 2 together; put one tab between"),
        ([], ["a\tb\tc"], "line 1 has 3 texts"),
    ],
)
def test_a_text_without_its_second_one_is_named(words: list[str], lines: list[str], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        texts_of(words, lines, 2)


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        (["x", "--model", "nope"], 2, "no model 'nope'"),
        (["fail"], 1, "the queue is full"),
        (["x", "--top-k", "-1"], 2, "--top-k is -1"),
        (["x", "--timeout", "0"], 2, "--timeout is 0.0"),
        (["x", "--protocol", "rest"], 2, "Invalid value"),
        (["hang", "--timeout", "0.1"], 1, "DEADLINE_EXCEEDED"),
    ],
)
def test_what_goes_wrong_is_one_line(
    strop: Any, server: Any, capsys: pytest.CaptureFixture[str], words: list[str], code: int, complaint: str
) -> None:
    assert strop("query", server.address, *words) == code
    error = capsys.readouterr().err
    assert complaint in error
    assert error.count("\n") == 1
