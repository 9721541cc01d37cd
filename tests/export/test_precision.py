"""Every numeric form: near fp32, valid, small, and the same bit for bit alone and in any batch."""

import json
import subprocess
import sys

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, numpy_helper

from strop.export.bundle import Session, bucketed, cpu
from strop.export.bundle.cpu import saturates, unfit, weight_limit
from strop.export.bundle.weights import Weights
from strop.export.footprint import TEXTS, TOKENS, peak_bytes
from strop.export.precision import PRECISIONS, mixed
from strop.export.precision.record import recorded
from strop.export.precision.sixteen_bit import FP16, halved
from strop.export.precision.surgery import dense_layers, weights
from strop.serve.engines.memory import Estimate
from strop.tasks import softmax

INVARIANT = ["fp32", *(name for name, precision in PRECISIONS.items() if precision.batch_invariant)]
# The largest share of fp32's bytes, and the largest change of a probability.
LIMITS = {
    "int8": (0.4, 0.2),
    "int8-percentile": (0.4, 0.2),
    "int8-entropy": (0.4, 0.2),
    "int8-dynamic": (0.4, 0.2),
    "mixed": (0.9, 0.2),
    "w8": (0.4, 0.05),
    "w4": (0.3, 0.4),
    "fp16": (0.6, 0.005),
    "bf16": (0.6, 0.05),
    "int8-symmetric": (0.4, 0.2),
    "fp8": (0.4, 0.2),
}
# How much a logit may change with the shape of its batch, where 1e-5 is too little: by a rounding.
BUCKETED = {"fp16": 2e-2, "bf16": 2e-1}


@pytest.mark.parametrize("name", PRECISIONS)
def test_a_form_is_valid_small_and_near_fp32_but_not_it(wide, random_sequences, name):
    feeds = wide.layout.feeds(random_sequences(range(5, 60), seed=99))
    fp32, found = (softmax(wide.session(form).run(feeds)) for form in ("fp32", name))
    share, change = LIMITS[name]
    assert 0 < np.abs(fp32 - found).max() < change
    assert wide.path(name).stat().st_size < share * wide.path("fp32").stat().st_size
    onnx.checker.check_model(wide.path(name))


@pytest.mark.parametrize("name", INVARIANT)
@settings(max_examples=8)
@given(
    lengths=st.lists(st.integers(1, 40) | st.integers(1, 400), min_size=1, max_size=8),
    seed=st.integers(0, 2**32),
    threads=st.sampled_from([1, 2]),
)
def test_a_text_gets_the_same_answer_bit_for_bit_alone_and_in_any_batch(
    wide, random_sequences, name, lengths, seed, threads
):
    sequences, session = random_sequences(lengths, seed), wide.session(name, threads)
    alone = np.concatenate([session.run(wide.layout.feeds([ids])) for ids in sequences])
    for layout in (wide.layout, wide.layout.padded()):
        np.testing.assert_array_equal(session.run(layout.feeds(sequences)), alone)


@pytest.mark.parametrize(
    ("machine", "flags", "expected"),
    [
        ("x86_64", {"sse4_2", "avx2", "fma"}, True),
        ("x86_64", {"avx2", "avx512f", "avx512bw"}, True),  # Skylake-X
        ("x86_64", {"avx2", "avx512f", "avx512_vnni"}, False),
        ("x86_64", {"avx2", "avx_vnni"}, False),
        ("aarch64", {"asimd"}, False),
        ("aarch64", {"asimd", "asimddp", "i8mm"}, False),
    ],
)
def test_only_an_x86_without_vnni_saturates(machine, flags, expected):
    assert saturates(machine, flags) is expected


def test_only_weights_of_more_bits_than_this_cpu_adds_up_exactly_are_unfit(monkeypatch):
    monkeypatch.setattr(cpu, "weight_limit", lambda: 64)
    assert unfit({"weight_limit": "127"})
    assert not unfit({"weight_limit": "64"})
    assert not unfit({})
    monkeypatch.setattr(cpu, "weight_limit", lambda: 127)
    assert not unfit({"weight_limit": "127"})


def test_percentile_calibration_leaves_out_the_rarest_values(wide):
    scales = {}
    for name in ("int8", "int8-percentile"):
        wide.session(name)
        tensors = onnx.load(wide.path(name)).graph.initializer
        scales[name] = {
            t.name: numpy_helper.to_array(t) for t in tensors if not t.dims and "scale" in t.name
        }
    widths = [(scales["int8-percentile"][name] / scale) for name, scale in scales["int8"].items()]
    assert max(widths) < 1.001
    assert min(widths) < 0.999


@pytest.mark.parametrize("name", ["int8", "int8-dynamic", "mixed"])
def test_an_int8_graph_records_the_weights_it_uses_for_this_cpu(wide, name):
    wide.session(name)
    assert recorded(wide.path(name))["weight_limit"] == str(weight_limit())
    tensors = onnx.load(wide.path(name)).graph.initializer
    dense = [
        t for t in tensors if t.data_type == TensorProto.INT8 and "embeddings" not in t.name and t.dims
    ]
    matrices = [numpy_helper.to_array(tensor).astype(int) for tensor in dense]
    assert max(np.abs(matrix).max() for matrix in matrices) == weight_limit()


@pytest.mark.parametrize(
    ("name", "type_"), [("int8-symmetric", TensorProto.INT8), ("fp8", TensorProto.FLOAT8E4M3FN)]
)
def test_every_dense_layer_of_a_symmetric_form_reads_8_bits_with_a_zero_point_of_zero(wide, name, type_):
    wide.session(name)
    graph = onnx.load(wide.path(name)).graph
    tensors, made = weights(graph), {output: node for node in graph.node for output in node.output}
    dense = [node for node in graph.node if node.op_type == "MatMul" and "dequantised" in node.input[1]]
    assert len(dense) == len(dense_layers(onnx.load(wide.path("fp32")).graph))
    for node in dense:
        for dequantise in (made[name] for name in node.input):
            assert dequantise.op_type == "DequantizeLinear"
            zero = tensors[dequantise.input[2]]
            assert zero.data_type == type_
            assert not np.any(np.asarray(numpy_helper.to_array(zero), dtype=np.float32))
    assert {made[made[node.input[0]].input[0]].op_type for node in dense} == {"QuantizeLinear"}


def with_an_outlier(source, target, size=1000):
    """Save a graph that computes nearly the same through one feed-forward channel of enormous values."""
    model = onnx.load(source)
    tensors = weights(model.graph)
    *_, wider, narrower = dense_layers(model.graph)
    for name, place, factor in (
        (wider.input[1], np.s_[:, 0], size),
        (narrower.input[1], np.s_[0], 1 / size),
    ):
        matrix = numpy_helper.to_array(tensors[name]).copy()
        matrix[place] *= factor
        tensors[name].CopyFrom(numpy_helper.from_array(matrix, name))
    onnx.save(model, target)


def test_mixed_leaves_the_layer_that_int8_ruins_in_fp32(wide, tmp_path):
    source, target = tmp_path / "fp32.onnx", tmp_path / "mixed.onnx"
    with_an_outlier(wide.path("fp32"), source)
    calibration = wide.calibration(source)
    PRECISIONS["mixed"].write(source, target, calibration)
    facts = recorded(target)
    sensitivities = json.loads(facts["sensitivities"])
    worst = max(sensitivities, key=sensitivities.get)
    assert worst == "encoder.encoder.layer.1.output.dense"
    assert len(sensitivities) == 8
    assert worst in json.loads(facts["fp32"])
    assert len(json.loads(facts["fp32"])) < 8
    assert calibration.divergence(target) <= mixed.BOUND


def test_fp16_leaves_in_fp32_what_overflows_on_the_calibration_texts(
    wide_of_64, random_sequences, tmp_path
):
    source, target = tmp_path / "fp32.onnx", tmp_path / "fp16.onnx"
    with_an_outlier(wide_of_64.path("fp32"), source, 1e5)
    feeds = wide_of_64.layout.feeds(random_sequences(range(5, 60), seed=99))
    wanted = Session(source).run(feeds)
    onnx.save(halved(onnx.load(source), FP16), target)
    assert not np.isfinite(Session(target).run(feeds)).all()
    PRECISIONS["fp16"].write(source, target, wide_of_64.calibration(source))
    np.testing.assert_allclose(Session(target).run(feeds), wanted, atol=0.05)
    products = [node for node in onnx.load(target).graph.node if node.op_type == "MatMul"]
    assert (
        sum("fp16" in node.input[1] for node in products) == len(dense_layers(onnx.load(source).graph)) - 2
    )


def test_naming_the_forms_loads_neither_onnx_nor_onnxruntime():
    script = "import strop.export.config, sys; print(*{'onnx', 'onnxruntime', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("form", ["fp32", "int8", "fp16", "bf16"])
def test_a_graph_answers_in_fixed_shapes_as_it_does_packed_whatever_shares_the_batch(
    form, wide, random_sequences
):
    session, layout = wide.session(form), bucketed(wide.layout, 400)
    sequences = random_sequences((5, 17, 9, 130, 30, 16, 48))
    found = layout.by_text(session.run(layout.feeds(sequences)), sequences)
    assert np.isfinite(found).all()
    packed = session.run(wide.layout.feeds(sequences))
    np.testing.assert_allclose(found, packed, atol=BUCKETED.get(form, 1e-5))
    if form == "fp32":
        alone = [layout.by_text(session.run(layout.feeds([ids])), [ids])[0] for ids in sequences]
        np.testing.assert_allclose(found, alone, atol=1e-5)


def test_what_a_variant_takes_of_memory_is_told_before_it_is_loaded(wide):
    for form in ("fp32", "int8", "bf16"):
        wide.session(form)
        found = Weights.read(wide.path(form))
        assert found.hidden in (384, 128)
        assert (found.widest, found.largest) == (4 * found.hidden, 4 * found.hidden)
        assert 0.8 < found.bytes / wide.path(form).stat().st_size < 1
        measured = peak_bytes(wide.path(form), wide.layout)
        estimated = Estimate.on_host(wide.path(form), TEXTS * TOKENS, TOKENS, 1).total
        assert 0.7 < estimated / measured < 2


FREED = """
import sys
from pathlib import Path
import numpy as np
from strop.export.bundle import PackedLayout, Session
from strop.serve.observe.memory import give_back, resident_bytes

feeds = PackedLayout(8, 0, 0).feeds([np.ones(32, np.int64)] * 12)
for _ in range(2):  # the first one loads code that stays
    before = resident_bytes()
    session = Session(Path(sys.argv[1]))
    session.run(feeds)
    held = resident_bytes()
    session.close()
    give_back()
    print(held - before, resident_bytes() - before)
"""


def test_a_closed_session_gives_its_memory_back(wide):
    path = wide.path("fp32")
    done = subprocess.run(
        [sys.executable, "-c", FREED, str(path)], capture_output=True, text=True, check=True
    )
    held, kept = map(int, done.stdout.splitlines()[-1].split())
    assert held > path.stat().st_size
    assert kept < 0.2 * held
