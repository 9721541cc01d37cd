"""Files and folders that are whole or not there."""

from pathlib import Path

import pytest

from strop.errors import InputError
from strop.staging import replace_file, replaced, staged


def test_a_folder_that_failed_leaves_nothing(tmp_path: Path) -> None:
    def build() -> None:
        with staged(tmp_path / "bundles" / "mood") as stage:
            (stage / "half").write_text("written")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        build()
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_not_overwritten(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="exists"), staged(tmp_path):
        pass


def test_a_file_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    for text in ("{}", '{"naïve": 1}'):
        replace_file(path, text)
        assert path.read_text(encoding="utf-8") == text
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_failed_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    path.write_text("before")

    def write() -> None:
        with replaced(path) as draft:
            draft.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write()
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
