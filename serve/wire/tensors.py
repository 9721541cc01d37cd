"""A request's tensors: the elements of one, from its typed contents or from its raw blob."""

import math
from collections.abc import Container, Sequence

import numpy as np
from numpy.typing import NDArray

from strop.proto import open_inference_pb2 as pb
from strop.proto.raw import unpack_bytes, unpack_integers

from ..errors import InvalidArgumentError

InputTensor = pb.ModelInferRequest.InferInputTensor

TYPED_CONTENTS = {
    "BOOL": "bool_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
}


def blobs_of(request: pb.ModelInferRequest) -> Sequence[bytes | None]:
    """The raw contents of each input; None for each in a request that has none.

    ``InvalidArgumentError`` for another number of blobs than inputs, for raw and typed contents
    together, and for contents that lie in shared memory.
    """
    for tensor in request.inputs:
        refuse_shared_memory(f"input {tensor.name!r}", tensor.parameters)
    blobs: Sequence[bytes] = request.raw_input_contents
    if not blobs:
        return [None] * len(request.inputs)
    if len(blobs) != len(request.inputs):
        raise InvalidArgumentError(
            f"raw_input_contents has {len(blobs)} blobs for {len(request.inputs)} inputs; send one each"
        )
    for tensor in request.inputs:
        if tensor.HasField("contents"):
            raise InvalidArgumentError(f"input {tensor.name!r} has both raw and typed contents; send one")
    return blobs


def refuse_shared_memory(what: str, parameters: Container[str]) -> None:
    """``InvalidArgumentError`` when a tensor's ``parameters`` say that it lies in shared memory."""
    if "shared_memory_region" in parameters:
        raise InvalidArgumentError(f"{what} is in shared memory; send the contents in the message")


def read_bytes(tensor: InputTensor, blob: bytes | None) -> Sequence[bytes]:
    """The elements of a BYTES tensor; ``InvalidArgumentError`` when they disagree with its shape."""
    count = _count(tensor)
    if blob is None:
        elements: Sequence[bytes] = tensor.contents.bytes_contents
        _agree(tensor, len(elements), count)
        return elements
    try:
        elements = unpack_bytes(blob, limit=count)
    except ValueError as error:
        raise InvalidArgumentError(
            f"raw contents of input {tensor.name!r} of shape {list(tensor.shape)}: {error};"
            " pack each element behind its 4-byte length"
        ) from error
    _agree(tensor, len(elements), count)
    return elements


def read_integers(tensor: InputTensor, blob: bytes | None) -> NDArray[np.int64]:
    """A BOOL, INT32 or INT64 tensor; ``InvalidArgumentError`` when elements and shape disagree."""
    count = _count(tensor)
    if blob is None:
        contents = getattr(tensor.contents, TYPED_CONTENTS[tensor.datatype])
        _agree(tensor, len(contents), count)
        flat = np.fromiter(contents, np.int64, count)
    else:
        try:
            flat = unpack_integers(blob, tensor.datatype)
        except ValueError as error:
            raise InvalidArgumentError(
                f"raw contents of input {tensor.name!r} have {len(blob)} bytes,"
                f" no whole number of {tensor.datatype} elements; send whole ones"
            ) from error
        _agree(tensor, len(flat), count)
    return flat.reshape(list(tensor.shape))


def require_type(tensor: InputTensor, *datatypes: str) -> None:
    """``InvalidArgumentError`` unless the tensor's datatype is one of those."""
    if tensor.datatype not in datatypes:
        raise InvalidArgumentError(
            f"input {tensor.name!r} has datatype {tensor.datatype!r}; send {' or '.join(datatypes)}"
        )


def _count(tensor: InputTensor) -> int:
    return math.prod(tensor.shape)


def _agree(tensor: InputTensor, found: int, count: int) -> None:
    if found != count:
        raise InvalidArgumentError(
            f"input {tensor.name!r} has shape {list(tensor.shape)} but {found} elements; make them agree"
        )
