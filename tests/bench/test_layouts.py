"""The price of batch-invariance, from outside: the layouts of the tiny bundle in turn."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from strop.bench.layouts import LayoutsConfig, contenders
from strop.export.bundle import PackedLayout

COMMAND = (sys.executable, "-m", "strop.bench.layouts")


def test_every_layout_is_measured_on_every_variant(tiny_bundle: Path, tmp_path: Path) -> None:
    texts = tmp_path / "texts.jsonl"
    texts.write_text("".join(f"{json.dumps({'text': 'good ' * n})}\n" for n in range(1, 9)))
    options = "--rounds", "1", "--tokens", "16", "--padded-texts", "4"
    done = subprocess.run(
        [*COMMAND, str(tiny_bundle), str(texts), *options], capture_output=True, text=True, check=True
    )
    assert "fp32: 8 texts" in done.stdout
    names = [line.strip().split("  ")[0] for line in done.stdout.splitlines()]
    assert {"packed, 16 tokens", "without alignment", "padded, 4 texts"} <= set(names)


def test_a_missing_bundle_is_an_error_of_one_line(tmp_path: Path) -> None:
    words = [*COMMAND, str(tmp_path), str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


def test_only_what_pads_counts_padding() -> None:
    sequences = [np.ones(length, np.int64) for length in (8, 2, 4, 4)]
    config = LayoutsConfig(Path(), Path(), tokens=(16,), padded_texts=2)
    packed, unaligned, padded = contenders(PackedLayout(8, 0, 0), sequences, config)
    assert packed.padding() == unaligned.padding() == 0
    assert padded.padding() == 1 - 18 / (2 * 8 + 2 * 8)
