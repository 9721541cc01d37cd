"""optimum's export beside ours, where its environment is there: make test-optimum makes it."""

from dataclasses import replace

import numpy as np
import pytest

from strop.errors import InputError
from strop.export.build import build
from strop.export.bundle import Bundle, MaskedLayout, Session
from strop.export.config import ExportConfig
from strop.export.optimum.environment import ENVIRONMENT
from strop.export.optimum.graphs import OPTIMUM_PRECISIONS, export_through_optimum, masked_layout
from strop.export.precision.calibration import Calibration
from strop.serve.config import ServeConfig
from strop.serve.inference.model import Model
from strop.tasks import TASKS
from strop.train.encoder import Encoder

needs_optimum = pytest.mark.skipif(
    not ENVIRONMENT.ready, reason="optimum's environment is not there; make test-optimum makes it"
)


class Silent:
    def step(self, name):
        pass

    def advanced(self, done, total):
        pass


@pytest.fixture(scope="module")
def bundles(tiny_run, tmp_path_factory):
    """The same run through torch and through optimum."""
    root = tmp_path_factory.mktemp("bundles")
    config = ExportConfig(tiny_run, gate=0.8)
    for exporter in ("torch", "optimum"):
        build(replace(config, exporter=exporter, out=root / exporter), Silent())
    return Bundle.open(root / "torch"), Bundle.open(root / "optimum")


def logits(bundle, name):
    variant = bundle.variant(name)
    encoded = bundle.text_encoder().encode([example.text for example in bundle.golden()])
    return Session(bundle.model_file(variant)).run(variant.layout.feeds([text.ids for text in encoded]))


@needs_optimum
def test_optimum_s_fp32_graph_answers_as_ours(bundles):
    ours, theirs = (logits(bundle, "fp32") for bundle in bundles)
    np.testing.assert_allclose(theirs, ours, atol=1e-3)
    assert (theirs.argmax(axis=1) == ours.argmax(axis=1)).all()
    accuracies = [bundle.variant("fp32").metrics["accuracy"] for bundle in bundles]
    assert accuracies[0] == accuracies[1]


@needs_optimum
def test_optimum_s_int8_graph_is_gated_like_any_other(bundles):
    _, theirs = bundles
    fp32, int8 = theirs.manifest.variants
    assert int8.bytes < fp32.bytes
    assert int8.share_of_reference >= 0.8
    assert isinstance(int8.layout, MaskedLayout)
    assert theirs.manifest.provenance["exporter"] == "optimum"


@needs_optimum
@pytest.mark.parametrize("layout", ["bundle", "padded"])
def test_a_bundle_of_optimum_s_is_served(bundles, layout):
    _, theirs = bundles
    model = Model.load(theirs.root, ServeConfig(str(theirs.root), layout=layout))
    assert model.layout.kind == "masked"


@needs_optimum
def test_another_family_and_dynamic_quantisation_go_through_optimum_too(tmp_path, make_encoder):
    make_encoder(tmp_path / "encoder", "roberta")
    task = TASKS["text-classification"]
    model, _ = Encoder.open(str(tmp_path / "encoder")).model(task, ("bad", "good"), attention="eager")
    model.train(False)
    sequences = [np.arange(2, 2 + length) for length in (3, 9, 20)]
    layout, graphs = masked_layout(model), [tmp_path / "fp32.onnx", tmp_path / "int8.onnx"]
    export_through_optimum(model, task, layout, sequences, graphs[0])  # compares it with torch itself
    feeds = layout.feeds(sequences)
    del feeds["token_type_ids"]
    calibration = Calibration(feeds=lambda: [feeds], divergence=lambda graph: 0.0)
    OPTIMUM_PRECISIONS["int8-dynamic"].write(*graphs, calibration)
    fp32, int8 = (Session(path).run(feeds) for path in graphs)
    assert 0 < np.abs(int8 - fp32).max() < 0.1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"recipes": ("fp16",)}, r"'fp16' is no step; .* one of int8, int8-dynamic"),
        ({"recipes": ("ffn50+int8",)}, r"--recipes ffn50\+int8: --exporter optimum can have layers cut"),
        ({"search": True}, "--search cuts what --exporter optimum can't take"),
    ],
)
def test_what_optimum_can_t_do_is_refused_at_once(tmp_path, options, message):
    config = ExportConfig(tmp_path, out=tmp_path / "mood", exporter="optimum", **options)
    with pytest.raises(InputError, match=message):
        build(config, Silent())
