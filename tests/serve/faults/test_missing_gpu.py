"""A device that isn't there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from strop.export.bundle.probe import CUDA, missing


@pytest.mark.skipif(missing(CUDA) is None, reason="needs a box without a GPU that works")
def test_a_gpu_that_is_required_and_not_there_is_refused_with_what_to_install(
    tiny_bundle: Path, refuse_to_start: Callable[..., Any]
) -> None:
    ended = refuse_to_start(tiny_bundle, "--provider", "cuda", "--require-provider")
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert line.startswith("strop: --provider cuda is not available, because ")
    assert ";" in line
