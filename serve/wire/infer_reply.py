"""A ModelInfer reply written: the outputs asked for, and the facts beside them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from strop.proto import open_inference_pb2 as pb
from strop.proto.raw import pack_bytes, pack_fp32

from ..core import Answer, Probabilities, Timings
from .infer_request import Output


class ReplyWriter:
    """Writes the replies of one model."""

    def __init__(self, labels: Sequence[str], variant: str) -> None:
        self._labels = [label.encode() for label in labels]
        self._variant = variant

    def write(
        self, reply: pb.ModelInferResponse, answer: Answer, outputs: Sequence[Output], *, raw: bool
    ) -> None:
        """Fill ``reply`` with the outputs asked for: raw for a request that came so, else typed."""
        for output in outputs:
            self._write_output(reply, output, answer.probabilities, raw=raw)
        parameters = reply.parameters
        parameters["variant"].string_param = self._variant
        parameters["truncated_texts"].int64_param = sum(one.truncated for one in answer.encoded)
        for name, value in microseconds(answer.timings).items():
            parameters[name].int64_param = value

    def _write_output(
        self, reply: pb.ModelInferResponse, output: Output, probabilities: Probabilities, *, raw: bool
    ) -> None:
        """``label`` and ``score`` are those of the best class."""
        if output.classes:
            elements = _classes(probabilities, self._labels, output.classes)
            shape = (len(probabilities), len(elements) // len(probabilities))
            _write_bytes(reply, output.name, elements, shape, raw=raw)
        elif output.name == "label":
            labels = [self._labels[index] for index in probabilities.argmax(axis=1).tolist()]
            _write_bytes(reply, output.name, labels, (len(labels),), raw=raw)
        elif output.name == "score":
            _write_fp32(reply, output.name, probabilities.max(axis=1), raw=raw)
        else:
            _write_fp32(reply, output.name, probabilities, raw=raw)


def best_first(scores: Sequence[float], count: int) -> list[int]:
    """The indices of the ``count`` best classes of a row; equal ones in the labels' order."""
    return sorted(range(len(scores)), key=scores.__getitem__, reverse=True)[:count]


def microseconds(timings: Timings) -> dict[str, int]:
    """Timings as both protocols send them, by field name."""
    return {
        "tokenise_us": round(timings.tokenise * 1e6),
        "queue_us": round(timings.queue * 1e6),
        "compute_us": round(timings.compute * 1e6),
        "total_us": round(timings.total * 1e6),
    }


def _classes(probabilities: Probabilities, labels: Sequence[bytes], count: int) -> list[bytes]:
    """Row by row the best classes as Triton writes them: ``score:index:label``."""
    return [
        b"%f:%d:%s" % (scores[index], index, labels[index])
        for scores in probabilities.tolist()
        for index in best_first(scores, count)
    ]


def _write_bytes(
    reply: pb.ModelInferResponse, name: str, elements: Sequence[bytes], shape: tuple[int, ...], *, raw: bool
) -> None:
    tensor = reply.outputs.add(name=name, datatype="BYTES", shape=shape)
    if raw:
        reply.raw_output_contents.append(pack_bytes(elements))
    else:
        tensor.contents.bytes_contents.extend(elements)


def _write_fp32(reply: pb.ModelInferResponse, name: str, values: NDArray[np.float32], *, raw: bool) -> None:
    tensor = reply.outputs.add(name=name, datatype="FP32", shape=values.shape)
    if raw:
        reply.raw_output_contents.append(pack_fp32(values))
    else:
        tensor.contents.fp32_contents.extend(values.ravel().tolist())
