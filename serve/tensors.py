"""ModelInfer's messages: texts and wishes read from a request, an answer written into a reply."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from strop.proto import open_inference_pb2 as pb
from strop.proto.raw import pack_bytes, pack_fp32, unpack_bytes

from .core import Answer, Probabilities, Timings
from .errors import InvalidArgumentError

INPUT = "text"
OUTPUTS = {"label": "BYTES", "score": "FP32", "probabilities": "FP32"}

Tensor = pb.ModelInferResponse.InferOutputTensor


def read_texts(request: pb.ModelInferRequest) -> list[str]:
    """The texts of the one input tensor; ``InvalidArgumentError`` names what is wrong with it."""
    if len(request.inputs) != 1 or request.inputs[0].name != INPUT:
        names = ", ".join(repr(tensor.name) for tensor in request.inputs) or "none"
        raise InvalidArgumentError(f"the inputs are {names}; send the one input {INPUT!r}")
    tensor = request.inputs[0]
    if tensor.datatype != "BYTES":
        raise InvalidArgumentError(f"input {INPUT!r} has datatype {tensor.datatype!r}; send BYTES")
    shape = list(tensor.shape)
    if len(shape) not in (1, 2) or shape[1:] not in ([], [1]) or shape[0] < 1:
        raise InvalidArgumentError(f"input {INPUT!r} has shape {shape}; send [n] or [n, 1], n at least 1")
    elements = _elements(request, tensor)
    if len(elements) != math.prod(shape):
        raise InvalidArgumentError(
            f"input {INPUT!r} has shape {shape} but {len(elements)} elements; make them agree"
        )
    return [_decode(element, number) for number, element in enumerate(elements)]


def _elements(
    request: pb.ModelInferRequest, tensor: pb.ModelInferRequest.InferInputTensor
) -> Sequence[bytes]:
    blobs = request.raw_input_contents
    if not blobs:
        return list(tensor.contents.bytes_contents)
    if tensor.HasField("contents"):
        raise InvalidArgumentError(f"input {INPUT!r} has both raw and typed contents; send one")
    if len(blobs) != 1:
        raise InvalidArgumentError(f"raw_input_contents has {len(blobs)} blobs; send one, for {INPUT!r}")
    try:
        return unpack_bytes(blobs[0])
    except ValueError as error:
        raise InvalidArgumentError(
            f"raw contents of input {INPUT!r}: {error}; pack each text behind its 4-byte length"
        ) from error


def _decode(element: bytes, number: int) -> str:
    try:
        return element.decode()
    except UnicodeDecodeError as error:
        raise InvalidArgumentError(
            f"element {number} of input {INPUT!r} is not UTF-8 at byte {error.start}; encode it so"
        ) from error


def read_outputs(request: pb.ModelInferRequest) -> list[str]:
    """The names of the outputs asked for, in that order; all of them if none is named."""
    names = [output.name for output in request.outputs] or list(OUTPUTS)
    for name in names:
        if name not in OUTPUTS:
            raise InvalidArgumentError(f"no output is named {name!r}; ask for: {', '.join(OUTPUTS)}")
    return names


def read_refuse_long(request: pb.ModelInferRequest) -> bool:
    """The parameter ``on_long``: false for ``truncate``, the default; true for ``refuse``."""
    if "on_long" not in request.parameters:
        return False
    wish = request.parameters["on_long"].string_param
    if wish not in ("truncate", "refuse"):
        raise InvalidArgumentError(f"parameter 'on_long' is {wish!r}; send truncate or refuse")
    return bool(wish == "refuse")


def write_outputs(
    reply: pb.ModelInferResponse,
    names: Sequence[str],
    probabilities: Probabilities,
    labels: Sequence[bytes],
    *,
    raw: bool,
) -> None:
    """Add the named outputs: raw contents for a request that came with such, else typed ones.

    ``probabilities`` is [n, classes]; ``label`` and ``score`` are those of the best class.
    """
    best = probabilities.argmax(axis=1)
    for name in names:
        if name == "label":
            chosen = [labels[index] for index in best.tolist()]
            tensor = reply.outputs.add(name=name, datatype="BYTES", shape=[len(chosen)])
            if raw:
                reply.raw_output_contents.append(pack_bytes(chosen))
            else:
                tensor.contents.bytes_contents.extend(chosen)
        else:
            values = probabilities if name == "probabilities" else probabilities.max(axis=1)
            _write_fp32(reply, name, values, raw=raw)


def _write_fp32(reply: pb.ModelInferResponse, name: str, values: NDArray[np.float32], *, raw: bool) -> None:
    tensor = reply.outputs.add(name=name, datatype="FP32", shape=values.shape)
    if raw:
        reply.raw_output_contents.append(pack_fp32(values))
    else:
        tensor.contents.fp32_contents.extend(values.ravel().tolist())


def write_parameters(reply: pb.ModelInferResponse, variant: str, answer: Answer) -> None:
    """Say which variant answered, how many texts lost their end, and where the time went."""
    reply.parameters["variant"].string_param = variant
    truncated = sum(one.truncated for one in answer.encoded)
    reply.parameters["truncated_texts"].int64_param = truncated
    for name, value in microseconds(answer.timings).items():
        reply.parameters[name].int64_param = value


def microseconds(timings: Timings) -> dict[str, int]:
    """Timings as both protocols send them, by field name."""
    return {
        "tokenise_us": round(timings.tokenise * 1e6),
        "queue_us": round(timings.queue * 1e6),
        "compute_us": round(timings.compute * 1e6),
        "total_us": round(timings.total * 1e6),
    }
