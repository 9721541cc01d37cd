"""A disk without room, wherever the server writes."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from strop.errors import InputError
from strop.serve.process.announce import Ready, prepare_ready
from strop.serve.repository.key import Key
from strop.serve.repository.source import Remote

FullDisk = Callable[[int], AbstractContextManager[None]]


def test_a_ready_file_without_room_is_named_and_not_half_written(
    full_disk: FullDisk, tmp_path: Path
) -> None:
    path = tmp_path / "ready.json"
    with (
        full_disk(10),
        pytest.raises(InputError, match=f"--ready-file {path} can't be written: .*make room"),
    ):
        Ready("127.0.0.1:1", "127.0.0.1:2", 3).write(path)
    assert list(tmp_path.iterdir()) == []


def test_a_ready_file_of_an_earlier_server_is_taken_away_first(tmp_path: Path) -> None:
    path = tmp_path / "ready.json"
    Ready("127.0.0.1:1", "127.0.0.1:2", 3).write(path)
    prepare_ready(path)
    assert not path.exists()
    prepare_ready(path)
    with pytest.raises(InputError, match=f"--ready-file {tmp_path} can't be replaced"):
        prepare_ready(tmp_path)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_place_where_no_ready_file_can_be_is_refused_before_anything_is_loaded(
    refuse_to_start: Callable[..., Any], tmp_path: Path, workers: str
) -> None:
    path = tmp_path / "missing" / "ready.json"
    # There is no bundle either, which nobody has looked for yet.
    ended = refuse_to_start(tmp_path / "bundle", "--ready-file", str(path), "--workers", workers)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert f"--ready-file {path} can't be written: No such file or directory; make its folder" in (
        ended.stderr
    )


def test_a_server_whose_output_has_no_room_serves_all_the_same(
    tiny_bundle: Path, tmp_path: Path, until: Callable[..., Any], answers: Callable[[str], None]
) -> None:
    ready = tmp_path / "ready.json"
    ports = ["--address", "127.0.0.1:0", "--metrics-address", "127.0.0.1:0"]
    words = [sys.executable, "-m", "strop", "serve", str(tiny_bundle), *ports, "--ready-file", str(ready)]
    nowhere = os.open("/dev/full", os.O_WRONLY)
    process = subprocess.Popen([*words, "--log-level", "debug"], stdout=nowhere, stderr=nowhere)
    os.close(nowhere)
    try:
        until(ready.exists)
        answers(json.loads(ready.read_text())["address"])
        process.terminate()
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()


def test_workers_without_room_to_count_in_are_not_started(
    full_disk: FullDisk, refuse_to_start: Callable[..., Any], tiny_bundle: Path
) -> None:
    with full_disk(2**20):
        ended = refuse_to_start(tiny_bundle, "--workers", "2")
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert "can't hold what 2 workers count" in line
    assert "set TMPDIR" in line


def test_a_remote_bundle_without_room_leaves_nothing_in_the_cache(
    full_disk: FullDisk, tiny_bundle: Path, tmp_path: Path
) -> None:
    place = tmp_path / "repository" / "tiny"
    place.mkdir(parents=True)
    (place / "3").symlink_to(tiny_bundle)
    source = Remote(f"file://{place.parent}", tmp_path / "cache")
    with full_disk(2**14), pytest.raises(InputError, match="tiny/3 can't be copied"):
        source.fetch(Key("tiny", "3"))
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert (source.fetch(Key("tiny", "3")) / "manifest.json").is_file()
