"""``make test-gpu`` on a machine without a card: nothing runs, nothing fails, and the record says why."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from strop.nvml import any_gpu

ROOT = Path(__file__).parent.parent


@pytest.mark.skipif(any_gpu(), reason="this machine has a GPU")
def test_without_a_card_everything_is_skipped_with_the_reason(tmp_path: Path) -> None:
    done = subprocess.run(
        (sys.executable, "-m", "pytest", "-c", "tests/gpu/pytest.ini", "tests/gpu"),
        cwd=ROOT,
        env={**os.environ, "STROP_GPU_RESULTS": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    (page,) = tmp_path.glob("*-no-card-gpu.md")
    assert page.read_text().startswith("# no card: 0 passed, 0 failed, ")
    record = json.loads(page.with_suffix(".json").read_text())
    assert record["figures"] == []
    assert record["outcomes"]
    assert {one["outcome"] for one in record["outcomes"]} == {"skipped"}
    assert all(one["reason"] for one in record["outcomes"])
