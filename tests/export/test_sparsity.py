"""2:4 sparsity: which weights stay, that learning wakes no other, and what is shipped of it."""

import json
import subprocess
import sys

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from onnx import numpy_helper
from torch import nn

from strop.cli import main
from strop.errors import InputError, StropError
from strop.export.bundle import Bundle
from strop.export.config import ExportConfig
from strop.export.forms import FORMS
from strop.export.precision.record import record, recorded
from strop.export.precision.sparsity import is_sparse, record_sparsity
from strop.export.recipe import Recipe, Shape
from strop.export.shapes import Lesson, cut, encoder_linears, held_sparse, sparse_masks, teach
from strop.export.shapes.sparsity import two_of_four
from strop.export.tensorrt import Builder, EngineCache, EngineKey, find, profiles_of
from strop.tasks import TASKS
from strop.train.batches import Item
from strop.train.encoder import Encoder

TASK = TASKS["text-classification"]

scores = st.tuples(st.integers(1, 6), st.integers(1, 5)).flatmap(
    lambda shape: arrays(np.float32, (shape[0], 4 * shape[1]), elements=st.floats(0, 8, width=16))
)


@pytest.fixture
def model(tiny_encoder):
    """A tiny random classifier of two layers."""
    torch.manual_seed(0)
    found, _ = Encoder.open(str(tiny_encoder)).model(TASK, ("bad", "good", "plain"), attention="eager")
    return found.eval()


@pytest.fixture
def rows():
    random = np.random.default_rng(0)
    return [
        (Item(input_ids=random.integers(5, 30, random.integers(3, 20)).tolist(), labels=i % 3),)
        for i in range(48)
    ]


@given(scores)
def test_of_every_four_the_two_highest_stay(values):
    kept = two_of_four(torch.from_numpy(values)).numpy()
    assert kept.shape == values.shape
    for group, stays in zip(values.reshape(-1, 4), kept.reshape(-1, 4), strict=True):
        assert stays.sum() == 2
        assert group[stays].min() >= group[~stays].max()
    assert is_sparse((values * kept).T)
    assert is_sparse(values.T) == all((group != 0).sum() <= 2 for group in values.reshape(-1, 4))


def test_a_weight_counts_as_much_as_what_it_is_multiplied_with(model, rows):
    layer = encoder_linears(model)["0.intermediate.dense"]
    norm = model.base_model.encoder.layer[0].attention.output.LayerNorm
    with torch.no_grad():
        layer.weight.fill_(1)
        norm.bias.zero_()
        norm.weight.copy_(torch.tensor([0.1, 8.0, 8.0, 0.1]).repeat(8))
    assert torch.equal(
        sparse_masks(model, rows)[layer][0], torch.tensor([False, True, True, False]).repeat(8)
    )


def test_what_is_masked_stays_zero_while_the_rest_learns(model, rows):
    student, kept = cut(model, Shape(sparse24=True), None)
    masks = sparse_masks(student, rows)
    assert len(masks) == 12
    before = {layer: layer.weight.detach().clone() for layer in masks}
    with held_sparse(masks):
        teach(student, model, kept, Lesson(rows, 1, TASK, learning_rate=1e-2), lambda done, total: None)
    for layer, mask in masks.items():
        assert not layer.weight[~mask].any()
        assert (layer.weight[mask] != before[layer][mask]).all()
    assert isinstance(next(iter(masks)).weight, nn.Parameter)
    assert {name for name, _ in student.named_parameters()} == {
        name for name, _ in model.named_parameters()
    }


def test_a_width_that_four_does_not_divide_is_refused_by_name(model, rows):
    layer = model.base_model.encoder.layer[1]
    layer.intermediate.dense, layer.output.dense = nn.Linear(32, 6), nn.Linear(6, 32)
    with pytest.raises(InputError, match=r"sparse24: 1\.output\.dense has 6 inputs, and 4 must divide"):
        sparse_masks(model, rows)


@pytest.mark.parametrize(
    "recipe", ["sparse24", "layers1+sparse24+int8", "sparse24+fp8", "sparse24+torch-fp16"]
)
def test_a_form_that_wins_nothing_by_it_is_refused(tmp_path, recipe):
    with pytest.raises(
        InputError, match=r"skips the zeros of sparse24.* join it with fp16 or bf16 or int8-symmetric"
    ):
        ExportConfig(tmp_path, recipes=(recipe,))


def test_it_is_a_cut_like_the_others():
    recipe = Recipe.parse("sparse24+vocab+layers3+fp16", tuple(FORMS))
    assert recipe == Recipe(Shape(layers=3, vocab=True, sparse24=True), "fp16")
    assert str(recipe) == "layers3+vocab+sparse24+fp16"


@pytest.fixture(scope="module")
def sparse_bundle(tiny_run, tmp_path_factory):
    """The sparse forms of a cut model beside fp32."""
    out = tmp_path_factory.mktemp("sparse") / "mood"
    recipes = [f"layers1+heads2+ffn50+sparse24+{form}" for form in ("fp16", "int8-symmetric")]
    options = ["--gate", "0.3", "--recover", "1", "--recipes", *recipes]
    assert main(["export", str(tiny_run), "--out", str(out), *options]) == 0
    return Bundle.open(out)


def test_a_sparse_variant_is_shipped_as_such_and_is_none_for_a_cpu(sparse_bundle, capsys):
    fp32, *sparse = sparse_bundle.manifest.variants
    assert sparse_bundle.manifest.default_variant == "fp32"
    assert not fp32.sparsity
    for variant in sparse:
        assert variant.facts == {"sparse24": "6"}
        assert variant.provider == "TensorrtExecutionProvider"
        assert recorded(sparse_bundle.model_file(variant)) == variant.facts
        for page in ("README.md", "report.md"):
            said = f"{variant.name} is 2:4 sparse: in 6 dense layers"
            assert said in (sparse_bundle.root / page).read_text()
    assert main(["inspect", str(sparse_bundle.root)]) == 0
    assert "2:4 sparse: in 6 dense layers" in " ".join(capsys.readouterr().out.split())


def test_a_graph_with_one_weight_too_many_is_not_shipped(sparse_bundle, tmp_path):
    graph = onnx.load(sparse_bundle.model_file(sparse_bundle.manifest.variants[1]))
    weight = next(one for one in graph.graph.initializer if list(one.dims) == [32, 16])
    values = numpy_helper.to_array(weight).copy()
    assert is_sparse(values)
    values[np.flatnonzero(values[:4, 0] == 0)[0], 0] = 1
    weight.CopyFrom(numpy_helper.from_array(values, weight.name))
    path = tmp_path / "model.onnx"
    onnx.save(graph, path)
    with pytest.raises(StropError, match=r"5 of its dense layers have two zeros .* and 6 should"):
        record_sparsity(path, 6)


def test_a_fact_stands_only_once_in_a_graph():
    model = onnx.ModelProto()
    record(model, sparse24="1", other="a")
    record(model, sparse24="2")
    assert {entry.key: entry.value for entry in model.metadata_props} == {
        "strop.sparse24": "2",
        "strop.other": "a",
    }


needs_builder = pytest.mark.skipif(
    find().library is None or not find().library.capabilities,
    reason=f"no TensorRT-RTX builds here: {find().no_library}",
)

# In a process of its own: without a driver the library may end the one that it is in.
ASK_FOR_FLAGS = """
import tensorrt_rtx as trt
from strop.export.tensorrt.build import configuration

builder = trt.Builder(trt.Logger())
for sparse in (False, True):
    print(configuration(trt, builder, sparse=sparse).get_flag(trt.BuilderFlag.SPARSE_WEIGHTS), flush=True)
"""


@needs_builder
def test_the_library_is_told_of_sparse_weights():
    done = subprocess.run(
        [sys.executable, "-c", ASK_FOR_FLAGS], capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["False", "True"], done.stderr


@needs_builder
def test_the_builder_may_use_what_a_variant_says_of_itself(sparse_bundle, tmp_path, capsys):
    cache, library = EngineCache(tmp_path), find().library
    fp32, half, _ = sparse_bundle.manifest.variants
    profiles = profiles_of([(1, 16), (2, 16)])
    keys = [EngineKey.of(sparse_bundle, one, library, "8.9", profiles) for one in (fp32, half)]
    assert [key.sparse for key in keys] == [False, True]
    built = Builder(sparse_bundle.model_file(half), keys[1], cache).run(lambda part: None)
    assert json.loads(built.path.with_suffix(".json").read_text())["key"]["sparse"] is True
    assert main(["inspect", str(sparse_bundle.root), "--engine-cache", str(tmp_path)]) == 0
    assert "may skip 2:4 sparse weights" in " ".join(capsys.readouterr().out.split())
