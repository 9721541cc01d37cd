"""ONNX Runtime's CUDA provider: fixed shapes, page-locked staging, a captured graph for each shape."""

import contextlib
import ctypes
import logging
import sys
import weakref
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import onnxruntime as ort

from strop.errors import StropError
from strop.export.bundle import Buckets, Bundle, Variant, bucketed
from strop.export.providers import CUDA

from ..core import IntArray
from .bound import BoundSession, Device
from .onnx import OnnxEngine
from .options import EngineOptions

log = logging.getLogger(__name__)

BATCH_TOKENS = 8192
"""Tokens of a batch by default: past it a large GPU has little to gain, and callers wait longer."""
INSTANCES = 2
"""By default: one computes while the other's batch is laid out and its answers are read."""
# What ONNX Runtime says when it can't capture a graph at all, whatever the reason.
NO_CAPTURE = "graph capture feature"


def open_on_cuda(
    bundle: Bundle, variant: Variant, options: EngineOptions, batch_tokens: int
) -> Sequence[OnnxEngine]:
    """An engine for each instance, each with a session, a stream and weights of its own on GPU 0.

    Raises ``StropError`` when ONNX Runtime would compute on anything else.
    """
    count = options.instances or INSTANCES
    layout = bucketed(variant.layout, bundle.manifest.max_tokens)
    model = bundle.model_file(variant)
    with contextlib.redirect_stdout(sys.stderr):  # it prints what it can't load
        ort.preload_dlls()
    bytes_each = options.memory_limit_bytes // count or None
    return [
        OnnxEngine(_session(model, layout, batch_tokens, bytes_each), layout, bundle.task)
        for _ in range(count)
    ]


def provider_options(*, graphs: bool, memory_bytes: int | None = None) -> dict[str, str]:
    """What ONNX Runtime's CUDA provider is told, by the names of its documentation."""
    options = {
        "device_id": "0",
        # Else fp32 products are rounded to 10 bits on the way, and fp32 would not be the reference.
        "use_tf32": "0",
        # The warm-up asks for the largest shape first; doubling would only waste what is left.
        "arena_extend_strategy": "kSameAsRequested",
        "use_ep_level_unified_stream": "1",
        "enable_cuda_graph": str(int(graphs)),
    }
    return options if memory_bytes is None else {**options, "gpu_mem_limit": str(memory_bytes)}


def _session(model: Path, layout: Buckets, batch_tokens: int, memory_bytes: int | None) -> BoundSession:
    """A session that captures graphs or, of a model that has nodes elsewhere, one that doesn't."""

    def opened(*, graphs: bool) -> BoundSession:
        options = provider_options(graphs=graphs, memory_bytes=memory_bytes)
        return BoundSession(model, Device(CUDA, "cuda", options, page_locked), layout, batch_tokens)

    try:
        return opened(graphs=True)
    except StropError as error:
        if NO_CAPTURE not in str(error):
            raise
        log.warning("served without CUDA graphs: %s", error)
        return opened(graphs=False)


def page_locked(values: int) -> IntArray:
    """Host memory for so many int64 values that the GPU reads directly; ``StropError`` if there is none.

    By cudaHostAlloc of the CUDA runtime that ONNX Runtime has loaded.
    """
    runtime, address = _runtime(), ctypes.c_void_p()
    size = values * np.dtype(np.int64).itemsize
    if code := runtime.cudaHostAlloc(ctypes.byref(address), ctypes.c_size_t(size), ctypes.c_uint(0)):
        raise StropError(f"{size} bytes of page-locked memory can't be had: CUDA error {code}")
    memory = (ctypes.c_int64 * values).from_address(address.value or 0)
    weakref.finalize(memory, runtime.cudaFreeHost, address)
    return np.ctypeslib.as_array(memory)


@cache
def _runtime() -> ctypes.CDLL:
    return ctypes.CDLL(f"libcudart.so.{ort.cuda_version.partition('.')[0]}")
