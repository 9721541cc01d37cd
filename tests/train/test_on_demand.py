"""Data on disk: the same entries as in memory, in little of it, in files that nobody sees."""

import gc
import json
import multiprocessing
import os
import re
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strop.errors import StropError
from strop.tasks import Example
from strop.train.on_demand import Grouped, Picked, Spooled

ENTRIES = st.lists(st.one_of(st.text(), st.integers(), st.lists(st.integers()), st.none()), max_size=20)


@given(ENTRIES, ENTRIES, st.data())
def test_what_is_on_disk_is_a_sequence_like_any_other(
    first: list[object], more: list[object], data: st.DataObject
) -> None:
    spooled, whole = Spooled(first), [*first, *more]
    assert spooled == first
    spooled.extend(more)
    assert spooled == whole
    assert spooled != [*whole, 0]
    _same(spooled, whole, data)


@given(ENTRIES, st.data())
def test_some_entries_in_another_order(entries: list[object], data: st.DataObject) -> None:
    places = data.draw(st.lists(st.integers(0, len(entries) - 1))) if entries else []
    _same(Picked(Spooled(entries), places), [entries[place] for place in places], data)


@given(st.lists(ENTRIES), st.data())
def test_entries_that_belong_together(groups: list[list[object]], data: st.DataObject) -> None:
    flat = Spooled(entry for group in groups for entry in group)
    _same(Grouped(flat, list(map(len, groups))), list(map(tuple, groups)), data)


def _same(found: Sequence[object], wanted: Sequence[object], data: st.DataObject) -> None:
    assert list(found) == list(wanted)
    assert len(found) == len(wanted)
    chosen = data.draw(st.slices(len(wanted)))
    assert found[chosen] == list(wanted[chosen])
    for place in (-1, 0):
        if wanted:
            assert found[place] == wanted[place]
    for place in (len(wanted), -len(wanted) - 1):
        with pytest.raises(IndexError):
            found[place]


def test_a_forked_process_reads_beside_its_parent() -> None:
    spooled = Spooled(range(2000))
    child = os.fork()
    total = sum(spooled)
    if not child:
        os._exit(total != sum(range(2000)))
    assert os.waitpid(child, 0)[1] == 0
    assert total == sum(range(2000))


def test_a_process_that_is_started_is_told_of_the_file(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")
    found = tmp_path / "found.npy"
    process = context.Process(target=np.save, args=(found, Picked(Spooled(range(9)), [3, 8])))
    process.start()
    process.join(60)
    assert np.load(found).tolist() == [3, 8]


def test_the_file_goes_with_the_sequence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    spooled = Spooled([Example("a text", "a label")])
    assert not list(tmp_path.iterdir())
    assert str(tmp_path) in _open_files()
    del spooled
    gc.collect()
    assert str(tmp_path) not in _open_files()


def _open_files() -> str:
    return "\n".join(str(path.readlink()) for path in Path("/proc/self/fd").iterdir() if path.is_symlink())


def test_a_disk_that_is_too_small_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, limits[1]))
    try:
        with pytest.raises(StropError, match=f"{re.escape(str(tmp_path))} can't hold .* larger disk"):
            Spooled([bytes(1 << 18)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "none"))
    with pytest.raises(
        StropError, match=r"none can't hold the data \(No such file or directory\); free space"
    ):
        Spooled([1])


MEASURED = """
import resource, sys
from pathlib import Path
from transformers import AutoTokenizer
from strop.tasks import TASKS
from strop.train.data.splits import load_splits
from strop.train.encoding import encode
from strop.train.preprocessing import Preprocessing

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

data, tokenizer = Path(sys.argv[1]), AutoTokenizer.from_pretrained(sys.argv[2])
task = TASKS["text-classification"]
encode(load_splits(data / "few").test, Preprocessing(tokenizer, task, ("a", "b"), 256))
before = peak()
splits = load_splits(data / "many")
encoded = encode(splits.train, Preprocessing(tokenizer, task, splits.labels, 256))
assert len(encoded.items) == len(splits.train)
print(peak() - before)
"""


def test_memory_does_not_grow_with_the_data(tmp_path: Path, tiny_encoder: Path) -> None:
    """Texts of 20 tokens are a few thousand bytes each as Python objects; 40,000 of them were 338 MB."""
    for name, count in (("few", 4), ("many", 40_000)):
        (tmp_path / name).mkdir()
        for split, rows in (("train", count), ("validation", 4), ("test", 4)):
            texts = (f"{split} {row} " + "film " * 20 for row in range(rows))
            lines = (json.dumps({"text": text, "label": "ab"[row % 2]}) for row, text in enumerate(texts))
            (tmp_path / name / f"{split}.jsonl").write_text("\n".join(lines))
    command = [sys.executable, "-c", MEASURED, str(tmp_path), str(tiny_encoder)]
    grown = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert grown < 40e6
