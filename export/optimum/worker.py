"""What optimum does, run by an interpreter that has it; nothing of Strop imports this.

Usage: worker.py export MODEL GRAPH, where MODEL is a folder that transformers saved, or worker.py
quantise GRAPH TARGET static|dynamic CALIBRATION, a JSON list of texts as the graph's inputs. The graphs
take ``input_ids`` and ``attention_mask`` and nothing else.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

import onnx
from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantizationMode
from optimum.exporters.onnx import main_export
from optimum.onnxruntime import ORTQuantizer
from optimum.onnxruntime.configuration import CalibrationConfig, QuantizationConfig

MINMAX = CalibrationConfig("calibration", "", "train", 0, CalibrationMethod.MinMax)
KINDS = {
    "static": (QuantFormat.QDQ, QuantizationMode.QLinearOps),
    "dynamic": (QuantFormat.QOperator, QuantizationMode.IntegerOps),
}


def export(model: str, target: str) -> None:
    """Write the fp32 graph."""
    with tempfile.TemporaryDirectory() as folder:
        main_export(model, folder, task="text-classification")
        graph = onnx.load(Path(folder) / "model.onnx")
    _fix_token_types(graph.graph)
    onnx.save(graph, target)


def quantise(source: str, target: str, kind: str, calibration: str) -> None:
    """Write the int8 form: unsigned activations, signed weights in the range that AVX2 can't saturate."""
    style, mode = KINDS[kind]
    config = QuantizationConfig(
        is_static=kind == "static",
        format=style,
        mode=mode,
        per_channel=True,
        reduce_range=True,
        operators_to_quantize=["MatMul"],
        nodes_to_exclude=_products_of_activations(onnx.load(source).graph),
    )
    graph = Path(source)
    quantizer = ORTQuantizer.from_pretrained(graph.parent, file_name=graph.name)
    with tempfile.TemporaryDirectory() as folder:
        ranges = None
        if config.is_static:
            texts = json.loads(Path(calibration).read_text(encoding="utf-8"))
            augmented = Path(folder) / "augmented.onnx"
            ranges = quantizer.fit(texts, MINMAX, augmented, config.operators_to_quantize)
        quantizer.quantize(config, folder, "int8", calibration_tensors_range=ranges)
        shutil.move(Path(folder) / f"{graph.stem}_int8.onnx", target)


def _fix_token_types(graph: onnx.GraphProto) -> None:
    """Make BERT's third input, the sentence that a token is of, zero in the graph itself."""
    for given in graph.input:
        if given.name == "token_type_ids":
            zeros = onnx.helper.make_node("Sub", ["input_ids", "input_ids"], [given.name])
            graph.input.remove(given)
            graph.node.insert(0, zeros)
            return


def _products_of_activations(graph: onnx.GraphProto) -> list[str]:
    """Attention's own products: quantising them costs accuracy and, at their size, wins no time."""
    weights = {tensor.name for tensor in graph.initializer}
    return [node.name for node in graph.node if node.op_type == "MatMul" and node.input[1] not in weights]


if sys.argv[1] == "export":
    export(*sys.argv[2:])
else:
    quantise(*sys.argv[2:])
