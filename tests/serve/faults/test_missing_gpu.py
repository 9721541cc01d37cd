"""A variant for a device that isn't there."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Alter = Callable[[Callable[[Path], None]], Path]


def test_a_variant_for_a_gpu_that_is_not_there_is_refused_with_what_is_there(
    altered_bundle: Alter, refuse_to_start: Callable[..., Any]
) -> None:
    root = altered_bundle(lambda root: None)
    manifest = json.loads((root / "manifest.json").read_text())
    manifest["variants"][0]["provider"] = "CUDAExecutionProvider"
    (root / "manifest.json").write_text(json.dumps(manifest))
    ended = refuse_to_start(root)
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert "is for CUDAExecutionProvider, and ONNX Runtime has here: " in line
    assert "CPUExecutionProvider; serve another variant, or install" in line
