"""Building a bundle from a real run: in every form, and with recipes that ruin the model or fail."""

import json
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from strop.export.build import build
from strop.export.bundle import Bundle
from strop.export.config import ExportConfig
from strop.export.precision import PRECISIONS


class Silent:
    def step(self, name):
        pass

    def advanced(self, done, total):
        pass


def int8_by(write):
    return {"int8": replace(PRECISIONS["int8"], write=write)}


def ruin(source, target, calibration):
    """Turn the classifier's sign round."""
    graph = onnx.load(source)
    last = next(node for node in reversed(graph.graph.node) if node.op_type == "Gemm")
    for tensor in graph.graph.initializer:
        if tensor.name in last.input:
            tensor.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(tensor), tensor.name))
    onnx.save(graph, target)


def test_every_form_goes_into_a_bundle_and_the_default_is_one_for_this_machine(tiny_run, tmp_path):
    out = tmp_path / "mood"
    config = ExportConfig(tiny_run, out=out, recipes=tuple(PRECISIONS), gate=0.5)
    variants = {
        candidate.variant.name: candidate.variant for candidate in build(config, Silent()).candidates
    }
    manifest = Bundle.open(out).manifest
    assert [variant.name for variant in manifest.variants] == ["fp32", *PRECISIONS]
    for name, precision in PRECISIONS.items():
        assert variants[name].provider == precision.provider
        assert variants[name].metrics["agreement"] > 0.9
        if precision.batch_invariant:
            assert variants[name].metrics["batch_difference"] == 0
    assert variants[manifest.default_variant].provider == "CPUExecutionProvider"
    written = (out / "report.md").read_text()
    for layers, cost in json.loads(variants["mixed"].facts["sensitivities"]).items():
        assert f"| {layers} | {cost:.2e} |" in written


def test_a_ruined_variant_is_stopped_by_the_gate_and_the_card_says_so(tiny_run, tmp_path):
    out = tmp_path / "mood"
    candidates = build(ExportConfig(tiny_run, out=out), Silent(), int8_by(ruin)).candidates
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
        build(ExportConfig(tiny_run, out=tmp_path / "mood"), Silent(), int8_by(fail))
    assert list(tmp_path.iterdir()) == []
