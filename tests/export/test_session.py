"""What loading a graph does besides computing it."""

import os
import subprocess
import sys
from pathlib import Path

import onnx
from onnx import TensorProto, helper


def test_a_loaded_graph_tells_nobody_and_leaves_no_file(tmp_path: Path) -> None:
    one = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 2])
    graph = helper.make_graph(
        [helper.make_node("ConstantOfShape", ["shape"], ["logits"])],
        "nothing",
        [],
        [one],
        [helper.make_tensor("shape", TensorProto.INT64, [2], [1, 2])],
    )
    model = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), model)
    # As on a box that serves: ONNX Runtime keeps still by itself where it takes the place for CI.
    environment = {
        "PATH": os.defpath,
        "HOME": str(tmp_path / "home"),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    script = (
        f"from pathlib import Path; from strop.export.bundle import Session; Session(Path({str(model)!r}))"
    )
    subprocess.run([sys.executable, "-P", "-c", script], check=True, timeout=60, env=environment)
    assert list(tmp_path.rglob("*")) == [model]
