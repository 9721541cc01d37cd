"""16-bit floats on a CPU: what reads them computes in fp32, and what comes out is rounded."""

import numpy as np
import onnx
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from strop.errors import InputError
from strop.export.bundle import Session
from strop.export.bundle.halves import computed_in_fp32
from strop.export.precision.sixteen_bit import BF16, FP16, halved

OPSET = [helper.make_opsetid("", 20)]
WIDTH = 4
STEPS = {
    "MatMul": lambda x, weight: x @ weight,
    "Add": lambda x, weight: x + weight,
    "Sub": lambda x, weight: x - weight,
    "Mul": lambda x, weight: x * weight,
    "Relu": lambda x, weight: np.maximum(x, 0),
    "Transpose": lambda x, weight: x.T,
    "Identity": lambda x, weight: x,
}
HALVES = (FP16, BF16)
ONE_INPUT = ("Relu", "Transpose", "Identity")


def rounded(values, half):
    return values.astype(half.dtype).astype(np.float32)


def graph_of(nodes, constants, input_name="input_ids"):
    """A graph from whole numbers [4, 4] to logits."""
    return helper.make_model(
        helper.make_graph(
            nodes,
            "steps",
            [helper.make_tensor_value_info(input_name, TensorProto.INT64, [WIDTH, WIDTH])],
            [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [WIDTH, WIDTH])],
            [numpy_helper.from_array(value, name) for name, value in constants.items()],
        ),
        opset_imports=OPSET,
        ir_version=10,
    )


def cast(source, target, to):
    return helper.make_node("Cast", [source], [target], to=to)


@pytest.mark.parametrize("half", HALVES, ids=lambda half: half.name)
@settings(max_examples=20, deadline=None)
@given(
    steps=st.lists(st.sampled_from(list(STEPS)), min_size=1, max_size=6),
    seed=st.integers(0, 2**32),
)
def test_each_step_is_exact_in_fp32_and_then_rounded(tmp_path_factory, half, steps, seed):
    random = np.random.default_rng(seed)
    # Few digits: a sum of such products is exact in any order.
    given_, weight = random.integers(-9, 10, (2, WIDTH, WIDTH))
    nodes, wanted = [cast("input_ids", "x0", half.type)], rounded(given_, half)
    for number, step in enumerate(steps):
        inputs = [f"x{number}"] if step in ONE_INPUT else [f"x{number}", "weight"]
        nodes.append(helper.make_node(step, inputs, [f"x{number + 1}"]))
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is infinite, here and there
            wanted = rounded(STEPS[step](wanted, weight.astype(np.float32)), half)
        assume(not np.isnan(wanted).any())  # of which a Relu may make what it likes
    nodes.append(cast(f"x{len(steps)}", "logits", TensorProto.FLOAT))
    model = graph_of(nodes, {"weight": weight.astype(half.dtype)})
    path = tmp_path_factory.mktemp("half") / "model.onnx"
    onnx.save(model, path)
    onnx.checker.check_model(model, full_check=True)
    onnx.checker.check_model(onnx.load_from_string(computed_in_fp32(path)), full_check=True)
    np.testing.assert_array_equal(Session(path).run({"input_ids": given_}), wanted)


def test_a_graph_without_16_bit_floats_is_opened_as_it_is(wide_of_64):
    assert computed_in_fp32(wide_of_64.path("fp32")) is None


def test_what_is_cut_off_is_refused(wide_of_64, tmp_path):
    wide_of_64.session("bf16")
    path = tmp_path / "model.onnx"
    path.write_bytes(wide_of_64.path("bf16").read_bytes()[:-100])
    with pytest.raises(InputError, match="it is cut off; export the run again"):
        computed_in_fp32(path)


@pytest.mark.parametrize("half", HALVES, ids=lambda half: half.name)
def test_products_and_their_tables_are_in_16_bits_and_sums_norms_and_answers_in_fp32(wide_of_64, half):
    model = onnx.shape_inference.infer_shapes(halved(onnx.load(wide_of_64.path("fp32")), half))
    graph = model.graph
    types = {one.name: one.type.tensor_type.elem_type for one in [*graph.value_info, *graph.output]}
    types |= {one.name: one.data_type for one in graph.initializer}
    read = {node.op_type: {types.get(name) for name in node.input} for node in graph.node}
    for operator in ("MatMul", "Gelu"):
        assert read[operator] == {half.type}
    for operator in ("Softmax", "LayerNormalization", "Gemm", "Tanh"):
        assert read[operator] == {TensorProto.FLOAT}
    assert types["logits"] == TensorProto.FLOAT
    bytes_of = dict.fromkeys((half.type, TensorProto.FLOAT), 0)
    for one in graph.initializer:
        if one.data_type in bytes_of:
            bytes_of[one.data_type] += len(one.raw_data)
    assert bytes_of[TensorProto.FLOAT] < 0.1 * bytes_of[half.type]


@pytest.mark.parametrize(
    ("half", "constant", "beyond"), [(FP16, 1e5, True), (BF16, 1e5, False), (BF16, -3.4e38, True)]
)
def test_what_reads_a_constant_beyond_16_bits_is_in_fp32(tmp_path, half, constant, beyond):
    nodes = [
        cast("input_ids", "x", TensorProto.FLOAT),
        helper.make_node("MatMul", ["x", "weight"], ["product"]),
        helper.make_node("Add", ["product", "constant"], ["sum"]),
        helper.make_node("Add", ["sum", "product"], ["logits"]),
    ]
    constants = {"weight": np.eye(WIDTH, dtype=np.float32), "constant": np.array(constant, np.float32)}
    model = halved(graph_of(nodes, constants), half)
    first, second = (list(node.input) for node in model.graph.node if node.op_type == "Add")
    assert first == (["product_fp32", "constant"] if beyond else ["product", f"constant_{half.name}"])
    assert second == ["sum", "product_fp32" if beyond else "product"]
    onnx.save(model, tmp_path / "model.onnx")
    ones = np.ones((WIDTH, WIDTH), np.int64)
    found = Session(tmp_path / "model.onnx").run({"input_ids": ones})
    np.testing.assert_allclose(found, constant, rtol=1e-2)
