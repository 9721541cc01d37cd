"""A bundle of torch's programs, from its files to an answer over the wire."""

import subprocess
import sys
import weakref
from dataclasses import replace

import numpy as np
import pytest

from strop.cli import main
from strop.errors import InputError
from strop.export.bundle import Bundle, open_runner
from strop.export.inspect.findings import Findings
from strop.export.program.session import TorchSession
from strop.serve.config import ServeConfig
from strop.serve.engines.buckets import Bucket
from strop.serve.engines.engine import require_golden
from strop.serve.engines.opening import open_engines
from strop.serve.engines.torch import TorchEngine


@pytest.fixture(scope="module")
def torch_bundle(tmp_path_factory, tiny_run):
    """The tiny run as programs of torch's alone: fp32 and bf16."""
    out = tmp_path_factory.mktemp("bundles") / "programs"
    options = ("--exporter", "torch-export", "--recipes", "torch-bf16", "--gate", "0.8")
    assert main(["export", str(tiny_run), "--out", str(out), *options]) == 0
    return out


def test_the_bundle_says_what_it_is_and_answers_as_it_did(torch_bundle):
    bundle = Bundle.open(torch_bundle)
    assert {variant.name: variant.provider for variant in bundle.manifest.variants} == {
        "fp32": "torch",
        "torch-bf16": "torch",
    }
    assert all(variant.file.endswith("model.pt2") for variant in bundle.manifest.variants)
    assert all(variant.facts["torch"] for variant in bundle.manifest.variants)
    findings = Findings.of(bundle, None, verify=True)
    assert findings.faults == []
    assert [check.variant for check in findings.golden] == ["fp32", "torch-bf16"]


def test_engines_on_a_cpu_are_one_and_answer_the_golden_examples(torch_bundle):
    bundle = Bundle.open(torch_bundle)
    for variant in bundle.manifest.variants:
        config = ServeConfig(torch_bundle, variant=variant.name, instances=3)
        engines = open_engines(bundle, config).engines
        assert len(engines) == 3
        assert len(set(engines)) == 1
        assert engines[0].provider == "torch-cpu"
        assert engines[0].layout == variant.layout
        require_golden(engines[0], bundle, variant, 64)
        (row,) = engines[0].run([np.array([2, 3])])
        assert row.shape == (engines[0].width,)


def test_the_last_engine_to_close_gives_the_program_back(torch_bundle):
    bundle = Bundle.open(torch_bundle)
    variant = bundle.variant("fp32")
    session = TorchSession(bundle.model_file(variant))
    program = weakref.ref(session.module)
    engines = [TorchEngine(session, variant.layout, bundle.task, 32) for _ in range(2)]
    del session
    engines[0].close()
    assert program() is not None
    engines[1].close()
    assert program() is None


@pytest.mark.parametrize("lengths", [(5, 17, 9, 30), (3,)])
def test_what_fills_a_bucket_changes_no_answer(torch_bundle, lengths):
    bundle = Bundle.open(torch_bundle)
    variant = bundle.variant("fp32")
    session = open_runner(bundle.model_file(variant))
    generator = np.random.default_rng(0)
    feeds = variant.layout.tokens([generator.integers(4, 50, length) for length in lengths])
    filled = session.run(Bucket(128).filled(feeds))
    np.testing.assert_allclose(filled[: len(lengths)], session.run(feeds), atol=1e-5)


def test_padded_batches_are_refused(torch_bundle):
    bundle = Bundle.open(torch_bundle)
    with pytest.raises(InputError, match="--layout padded: variant 'fp32' is torch's"):
        open_engines(bundle, ServeConfig(torch_bundle, layout="padded"))


def test_a_provider_and_a_variant_that_do_not_go_together_are_refused(torch_bundle, tiny_bundle):
    bundle = Bundle.open(torch_bundle)
    with pytest.raises(
        InputError, match="'fp32' is a program of torch's own, which --provider cpu can't run"
    ):
        open_engines(bundle, ServeConfig(torch_bundle, provider="cpu"))
    graphs = Bundle.open(tiny_bundle)
    config = ServeConfig(tiny_bundle, provider="torch", require_provider=True)
    with pytest.raises(InputError, match="'fp32' is an ONNX graph, which --provider torch can't run"):
        open_engines(graphs, config)
    opened = open_engines(graphs, replace(config, require_provider=False))
    assert opened.engines[0].provider == "CPUExecutionProvider"
    assert "torch" in opened.passed_over


def test_a_server_answers_with_it_and_says_so(torch_bundle, start_server):
    server = start_server(torch_bundle)
    asked = [sys.executable, "-m", "strop", "query", server.address, "a lovely film"]
    done = subprocess.run(asked, capture_output=True, text=True, check=True)
    assert "good" in done.stdout
    assert any(("provider", "torch-cpu") in labels for _, labels in server.metrics())
