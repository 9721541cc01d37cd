"""A ModelInfer reply written: the outputs asked for, and the facts beside them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strop.proto import open_inference_pb2 as pb
from strop.proto.raw import pack_bytes, pack_fp32
from strop.tasks import Floats, Task

from ..core import Answer, Timings
from .infer_request import Output


class ReplyWriter:
    """Writes the replies of one model."""

    def __init__(self, task: Task, labels: Sequence[str], variant: str) -> None:
        self._task = task
        self._labels = labels
        self._variant = variant

    def write(
        self, reply: pb.ModelInferResponse, answer: Answer, outputs: Sequence[Output], *, raw: bool
    ) -> None:
        """Fill ``reply`` with the outputs asked for: raw for a request that came so, else typed."""
        for output in outputs:
            self._write_output(reply, output, answer, raw=raw)
        parameters = reply.parameters
        parameters["variant"].string_param = self._variant
        parameters["truncated_texts"].int64_param = sum(one.truncated for one in answer.encoded)
        for name, value in microseconds(answer.timings).items():
            parameters[name].int64_param = value

    def _write_output(
        self, reply: pb.ModelInferResponse, output: Output, answer: Answer, *, raw: bool
    ) -> None:
        found: Any = answer.outputs
        offsets: Any = [one.offsets for one in answer.encoded]
        if self._task.windowed:
            found, offsets = answer.by_text(found), answer.by_text(offsets)
        values = self._task.tensor(output.name, found, offsets, self._labels)
        if isinstance(values, list):
            _write_bytes(reply, output.name, values, (len(values),), raw=raw)
        elif output.classes:
            best = _classes(values, self._labels, output.classes)
            _write_bytes(reply, output.name, best, (len(values), len(best) // len(values)), raw=raw)
        else:
            _write_fp32(reply, output.name, values, raw=raw)


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


def _classes(probabilities: Floats, labels: Sequence[str], count: int) -> list[str]:
    """Row by row the best classes as Triton writes them: ``score:index:label``."""
    return [
        f"{scores[index]:f}:{index}:{labels[index]}"
        for scores in probabilities.tolist()
        for index in best_first(scores, count)
    ]


def _write_bytes(
    reply: pb.ModelInferResponse, name: str, texts: Sequence[str], shape: tuple[int, ...], *, raw: bool
) -> None:
    elements = [text.encode() for text in texts]
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
