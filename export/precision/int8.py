"""Static int8: 8-bit dense layers whose activation ranges are fixed by calibration texts."""

import contextlib
import io
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from ..bundle.cpu import weight_limit
from .calibration import Calibration, Feeds
from .embeddings import quantise_embeddings
from .record import record
from .surgery import dense_layers, load_untied, restored


def write(
    source: Path,
    target: Path,
    calibration: Calibration,
    method: CalibrationMethod = CalibrationMethod.MinMax,
) -> None:
    """Write the int8 form of the fp32 graph ``source`` to ``target``."""
    model = quantised(source, calibration, method)
    record(model, weight_limit=str(weight_limit()))
    onnx.save(model, target)


write_percentile = partial(write, method=CalibrationMethod.Percentile)
write_entropy = partial(write, method=CalibrationMethod.Entropy)


def quantised(
    source: Path, calibration: Calibration, method: CalibrationMethod = CalibrationMethod.MinMax
) -> onnx.ModelProto:
    """The fp32 graph with every dense layer and embedding table in int8.

    Activations are unsigned and weights signed 8 bit with one scale an output channel, the form that
    has a kernel on every x86. Ranges are fixed, so an answer does not depend on its batch. Only the
    dense layers read 8-bit activations: the residual stream past them stays fp32.
    """
    original = load_untied(source)
    layers = {node.name for node in dense_layers(original.graph)}
    others = [node.name for node in original.graph.node if node.name not in layers]
    model = restored(_qdq(original, others, calibration.feeds_of(original.graph), method), original, others)
    quantise_embeddings(model.graph)
    return model


def _qdq(
    source: onnx.ModelProto, excluded: list[str], feeds: Iterable[Feeds], method: CalibrationMethod
) -> onnx.ModelProto:
    with TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        prepared, target = Path(folder, "prepared.onnx"), Path(folder, "int8.onnx")
        quant_pre_process(source, prepared, skip_optimization=True, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            target,
            _Batches(feeds),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["MatMul"],
            nodes_to_exclude=excluded,
            per_channel=True,
            reduce_range=weight_limit() < 127,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=method,
            extra_options={
                "OpTypesToExcludeOutputQuantization": ["MatMul"],
                "CalibStridedMinMax": 1,
                "CalibTensorRangeSymmetric": False,
            },
        )
        return onnx.load(target)


class _Batches(CalibrationDataReader):  # type: ignore[misc]  # untyped base
    """Calibration batches in strides of one, because the library's histograms stack what they are
    given at once, which batches of different shapes can't be.
    """

    def __init__(self, feeds: Iterable[Feeds]) -> None:
        self._batches = [dict(batch) for batch in feeds]
        self._stride = iter(self._batches)

    def __len__(self) -> int:
        return len(self._batches)

    def set_range(self, start_index: int, end_index: int) -> None:
        self._stride = iter(self._batches[start_index:end_index])

    def get_next(self) -> dict[str, Any] | None:
        return next(self._stride, None)
