"""Building a bundle from a real run with a recipe that ruins the model."""

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from strop.export.build import build
from strop.export.bundle import Bundle
from strop.export.config import ExportConfig


class Silent:
    def step(self, name):
        pass

    def advanced(self, done, total):
        pass


def ruin(source, target, calibration):
    """Turn the classifier's sign round."""
    graph = onnx.load(source)
    last = next(node for node in reversed(graph.graph.node) if node.op_type == "Gemm")
    for tensor in graph.graph.initializer:
        if tensor.name in last.input:
            tensor.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(tensor), tensor.name))
    onnx.save(graph, target)


def test_a_ruined_variant_is_stopped_by_the_gate_and_the_card_says_so(tiny_run, tmp_path):
    out = tmp_path / "mood"
    candidates = build(ExportConfig(tiny_run, out=out), Silent(), {"int8": ruin}).candidates
    assert [candidate.verdict.passed for candidate in candidates] == [True, False]
    manifest = Bundle.open(out).manifest
    assert [variant.name for variant in manifest.variants] == ["fp32"]
    assert manifest.default_variant == "fp32"
    assert [path.name for path in (out / "variants").iterdir()] == ["fp32"]
    assert "int8: refused with" in manifest.provenance["refused"][0]
    assert str(candidates[1].verdict) in (out / "README.md").read_text()


def test_a_build_that_fails_leaves_nothing(tiny_run, tmp_path):
    def fail(source, target, calibration):
        target.write_bytes(b"half")
        raise np.linalg.LinAlgError

    with pytest.raises(np.linalg.LinAlgError):
        build(ExportConfig(tiny_run, out=tmp_path / "mood"), Silent(), {"int8": fail})
    assert list(tmp_path.iterdir()) == []
