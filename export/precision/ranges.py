"""How large the numbers in a graph become on the calibration texts."""

from collections.abc import Collection
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx
import onnxruntime as ort
from onnx import TensorProto, helper

from .calibration import Calibration


def largest_values(
    model: onnx.ModelProto, names: Collection[str], calibration: Calibration
) -> dict[str, float]:
    """The largest absolute value of each of the named fp32 tensors of ``model``."""
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    results = {name: f"{name}_largest" for name in sorted(names)}
    for name, result in results.items():
        # In the graph: all that all layers give would be gigabytes.
        watched.graph.node.append(helper.make_node("Abs", [name], [f"{name}_absolute"]))
        watched.graph.node.append(helper.make_node("ReduceMax", [f"{name}_absolute"], [result], keepdims=0))
        watched.graph.output.append(helper.make_tensor_value_info(result, TensorProto.FLOAT, []))
    with TemporaryDirectory() as folder:
        path = Path(folder, "watched.onnx")
        onnx.save(watched, path)
        session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    largest = dict.fromkeys(results, 0.0)
    for feeds in calibration.feeds_of(model.graph):
        found = session.run(list(results.values()), feeds)
        for name, value in zip(results, found, strict=True):
            largest[name] = max(largest[name], float(value))
    return largest
