"""Lines of a growing file: rotated, cut, read again from where it was."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strop.bench.watch.follow import LONGEST_LINE, Block, Splitter, read_file, read_input
from strop.bench.watch.items import Item, read_item
from strop.errors import InputError


def append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def contents(blocks: Iterator[Block]) -> list[str]:
    return [(line.content or b"").decode() for block in blocks for line in block.lines]


def following(path: Path, *changes: Callable[[], object]) -> list[str]:
    """The lines of a file that changes each time its end is reached, until there are no changes left."""
    todo = list(changes)

    class EndError(Exception):
        pass

    def wait(seconds: float) -> None:
        if not todo:
            raise EndError
        todo.pop(0)()

    lines: list[str] = []
    with contextlib.suppress(EndError):
        for block in read_file(path, follow=True, wait=wait):
            lines += [(line.content or b"").decode() for line in block.lines]
    return lines


@given(st.lists(st.binary(max_size=20)), st.data())
def test_however_bytes_come_the_lines_are_the_same(parts: list[bytes], data: st.DataObject) -> None:
    splitter, whole = Splitter(), b"".join(parts)
    found = [line for part in parts for line in splitter.feed(part)] + splitter.end()
    wanted = whole.split(b"\n")
    wanted = wanted if wanted[-1] else wanted[:-1]
    assert [line.content for line in found] == [line.removesuffix(b"\r") for line in wanted]
    assert not found or found[-1].end == len(whole)


def test_a_line_that_is_too_long_is_left_out_and_held_nowhere() -> None:
    splitter = Splitter()
    found = [line for _ in range(40) for line in splitter.feed(b"x" * 65_536)]
    found += splitter.feed(b"end\nshort\n")
    assert [line.content for line in found] == [None, b"short"]
    assert found[0].end == 40 * 65_536 + 4
    assert found[0].end > LONGEST_LINE


def test_what_is_written_later_is_read_and_a_line_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "news"
    append(path, "one\ntw")
    found = following(path, lambda: append(path, "o"), lambda: append(path, "\nthree\n"))
    assert found == ["one", "two", "three"]


def test_a_rotated_file_is_read_to_its_end_and_then_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "news"
    append(path, "one\n")

    def rotate() -> None:
        path.rename(tmp_path / "news.1")
        append(tmp_path / "news.1", "two\n")

    found = following(path, rotate, lambda: append(path, "three\n"), lambda: append(path, "four\n"))
    assert found == ["one", "two", "three", "four"]


def test_a_file_that_is_cut_begins_anew_and_one_that_is_not_there_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "news"
    found = following(
        path,
        lambda: append(path, "a longer line\n"),
        lambda: path.write_text("new\n"),
        lambda: append(path, "more\n"),
    )
    assert found == ["a longer line", "new", "more"]


def test_reading_goes_on_from_a_place_unless_another_file_stands_there(tmp_path: Path) -> None:
    path = tmp_path / "news"
    append(path, "one\ntwo\n")
    *_, last = read_file(path, follow=False)
    assert last.place
    append(path, "three")
    assert contents(read_file(path, follow=False, place=last.place)) == ["three"]
    path.write_text("other\nlines\nhere\n")  # the same inode
    assert contents(read_file(path, follow=False, place=last.place)) == ["other", "lines", "here"]
    with pytest.raises(InputError, match="no such file or directory; name a file of texts"):
        list(read_file(tmp_path / "none", follow=False))


def test_the_standard_input_is_read_as_it_comes() -> None:
    reading, writing = os.pipe()
    blocks = read_input(reading)
    os.write(writing, b"one\ntwo\nth")
    assert contents(iter([next(blocks)])) == ["one", "two"]
    os.close(writing)
    assert contents(blocks) == ["th"]
    os.close(reading)


def test_a_line_is_a_text_or_an_entry_of_a_feed() -> None:
    assert read_item(b" Plain text ") == Item("Plain text")
    assert read_item(b'{"title": "T", "published": "2026-11-22"}') == Item("T", "2026-11-22")
    assert read_item(b'{"title": "T", "text": "Long"}') == Item("Long")
    assert read_item(b"  ") is None
    for wrong, complaint in (
        (b'{"title"', "not JSON"),
        (b'{"title": 3}', "no text"),
        (b"{}", "no text"),
        (b"\xff", "not UTF-8 at byte 0"),
        (None, "too long"),
    ):
        with pytest.raises(InputError, match=complaint):
            read_item(wrong)
