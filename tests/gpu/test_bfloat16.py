"""Every operator that a bf16 graph may have, by CUDA's own kernel, beside what a CPU makes of it."""

from pathlib import Path

import numpy as np
import pytest

SIZE = 64
STEP = 2.0**-7
"""From a bf16 to the next, as a share of it; a kernel may round twice, and sum in another order."""
OPERATORS = {
    "Add": ("x", "x"),
    "Concat": ("x", "x"),
    "Div": ("x", "two"),
    "Erf": ("x",),
    "Gather": ("x", "places"),
    "Gelu": ("x",),
    "Identity": ("x",),
    "MatMul": ("x", "weight"),
    "Mul": ("x", "x"),
    "Relu": ("x",),
    "Reshape": ("x", "shape"),
    "Sigmoid": ("x",),
    "Slice": ("x", "zero", "half"),
    "Split": ("x",),
    "Squeeze": ("x",),
    "Sub": ("x", "two"),
    "Tanh": ("x",),
    "Transpose": ("x",),
    "Unsqueeze": ("x", "zero"),
}
ATTRIBUTES = {"Concat": {"axis": 0}, "Split": {"num_outputs": 1}}


def test_each_operator_is_among_them() -> None:
    from strop.export.bundle.halves import ELEMENTWISE, MOVING, PRODUCTS

    assert set(OPERATORS) == {*ELEMENTWISE, *MOVING, *PRODUCTS}


@pytest.mark.parametrize("operator", OPERATORS)
def test_an_operator_gives_on_the_card_what_a_cpu_does(operator: str, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from strop.export.bundle import Session
    from strop.export.bundle.probe import missing
    from strop.export.providers import CPU, CUDA

    if reason := missing(CUDA):
        pytest.skip(f"CUDA is not available, because {reason}")
    path = write(operator, tmp_path / "model.onnx")
    feeds = {"numbers": np.random.default_rng(0).integers(-99, 99, (SIZE, SIZE))}
    here, there = (Session(path, provider=provider).run(feeds) for provider in (CPU, CUDA))
    np.testing.assert_allclose(there, here, rtol=2 * STEP, atol=STEP)


def write(operator: str, path: Path) -> Path:
    """A graph that reads whole numbers [64, 64] as hundredths in bf16 and gives the operator's in fp32."""
    import ml_dtypes
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weight = np.random.default_rng(1).normal(size=(SIZE, SIZE))
    constants = {
        "hundredth": np.array(0.01, ml_dtypes.bfloat16),
        "two": np.array([2], ml_dtypes.bfloat16),
        "weight": weight.astype(ml_dtypes.bfloat16),
        "places": np.arange(SIZE)[::-1].copy(),
        "shape": np.array([SIZE // 2, SIZE * 2]),
        "zero": np.array([0]),
        "half": np.array([SIZE // 2]),
    }
    read = ("hundredth", *OPERATORS[operator])
    nodes = [
        helper.make_node("Cast", ["numbers"], ["read"], to=TensorProto.BFLOAT16),
        helper.make_node("Mul", ["read", "hundredth"], ["x"]),
        helper.make_node(operator, OPERATORS[operator], ["y"], **ATTRIBUTES.get(operator, {})),
        helper.make_node("Cast", ["y"], ["logits"], to=TensorProto.FLOAT),
    ]
    rank = 3 if operator == "Unsqueeze" else 2
    graph = helper.make_graph(
        nodes,
        operator,
        [helper.make_tensor_value_info("numbers", TensorProto.INT64, [SIZE, SIZE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [None] * rank)],
        [numpy_helper.from_array(value, name) for name, value in constants.items() if name in read],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)
    return path
