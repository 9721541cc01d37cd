"""One instance's way to a GPU: its memory, copies, and for each shape of batch a CUDA graph on its stream.

Here and in ``loaded`` alone are the calls that need a driver: CUDA's runtime through cuda-python, and
TensorRT's runtime.
"""

import ctypes
import logging
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

import numpy as np
from cuda.bindings import runtime

from strop.errors import StropError

from .loaded import LoadedEngine
from .tensorrt import Bytes

log = logging.getLogger(__name__)

Compute = Callable[[], None]
"""Begins to compute a batch of one shape."""


class TensorRTCard:
    """The ``Card`` that there really is.

    Each shape has a context of its own: a captured graph holds for the shape and the state that its
    context had, so that NVIDIA's guides want one context for each graph (TensorRT and TensorRT for RTX,
    "CUDA Graphs"). As they never run at the same time, all of them compute in the same memory.
    """

    def __init__(self, loaded: LoadedEngine, cuda: Any = runtime) -> None:
        """``StropError`` when stream or memory can't be had.

        ``cuda`` is CUDA's runtime, or what stands in for it.
        """
        self._loaded = loaded
        self._cuda = cuda
        self._captures = not loaded.captures
        # With the context, which a graph that was captured from it needs as long as it is there.
        self._prepared: dict[tuple[tuple[int, ...], ...], tuple[Any, Compute]] = {}
        # What was taken last is given back first, and all of it, whatever fails.
        with ExitStack() as taken:
            self._taken = taken
            self._stream = _checked(self._cuda.cudaStreamCreateWithFlags(self._cuda.cudaStreamNonBlocking))
            taken.callback(_release, self._cuda.cudaStreamDestroy, self._stream)
            self._activations = self.allocate(max(1, loaded.activation_bytes))
            taken.callback(self._prepared.clear)
            self._taken = taken.pop_all()

    def allocate(self, size: int) -> int:
        """The address of ``size`` bytes of device memory."""
        address = int(_checked(self._cuda.cudaMalloc(size)))
        self._taken.callback(_release, self._cuda.cudaFree, address)
        return address

    def allocate_pinned(self, size: int) -> Bytes:
        """``size`` bytes of page-locked host memory."""
        address = int(_checked(self._cuda.cudaMallocHost(size)))
        self._taken.callback(_release, self._cuda.cudaFreeHost, address)
        return np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address))

    def upload(self, address: int, source: Bytes) -> None:
        """Begin to copy pinned bytes to device memory."""
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyHostToDevice
        _checked(self._cuda.cudaMemcpyAsync(address, source.ctypes.data, source.nbytes, kind, self._stream))

    def execute(
        self, profile: int, shapes: Mapping[str, tuple[int, ...]], addresses: Mapping[str, int]
    ) -> None:
        """Begin to compute; ``StropError`` with TensorRT's reason when it refuses.

        The addresses are those of the shape's first batch.
        """
        shape = tuple(shapes.values())
        if shape not in self._prepared:
            self._prepared[shape] = self._prepare(profile, shapes, addresses)
        _, compute = self._prepared[shape]
        compute()

    def download(self, target: Bytes, address: int) -> None:
        """Begin to copy device memory to pinned bytes."""
        kind = self._cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost
        _checked(self._cuda.cudaMemcpyAsync(target.ctypes.data, address, target.nbytes, kind, self._stream))

    def wait(self) -> None:
        """Until all that was begun is done; ``StropError`` when it failed meanwhile."""
        _checked(self._cuda.cudaStreamSynchronize(self._stream))

    def close(self) -> None:
        """Give all memory back, and the engine's once the last of its cards is closed."""
        try:
            with self._taken:
                self.wait()
        finally:
            del self._loaded

    def _prepare(
        self, profile: int, shapes: Mapping[str, tuple[int, ...]], addresses: Mapping[str, int]
    ) -> tuple[Any, Compute]:
        """A context for batches of a shape and what computes them, by a graph if it can be captured."""
        context = self._loaded.context()
        context.set_device_memory(self._activations, self._loaded.activation_bytes)
        # On the stream that computes, so that nothing need wait for the change.
        self._require(context.set_optimization_profile_async(profile, int(self._stream)))
        for name, shape in shapes.items():
            self._require(context.set_input_shape(name, shape))
        for name, address in addresses.items():
            self._require(context.set_tensor_address(name, address))

        def compute() -> None:
            self._require(context.execute_async_v3(int(self._stream)))

        compute()  # what was set takes effect now: none of that may be part of a graph
        if not self._captures:
            return context, compute
        try:
            return context, self._captured(compute)
        except StropError as error:
            self._captures = False
            log.warning("TensorRT computes without CUDA graphs: %s", error)
            return context, compute

    def _captured(self, compute: Compute) -> Compute:
        """Computes the same in one launch instead of one for each kernel."""
        # Other threads may be computing and allocating: they don't disturb a capture of this one's.
        mode = self._cuda.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        _checked(self._cuda.cudaStreamBeginCapture(self._stream, mode))
        try:
            compute()
        finally:
            graph = _checked(self._cuda.cudaStreamEndCapture(self._stream))
        try:
            replay = _checked(self._cuda.cudaGraphInstantiate(graph, 0))
        finally:
            _checked(self._cuda.cudaGraphDestroy(graph))
        self._taken.callback(_release, self._cuda.cudaGraphExecDestroy, replay)
        return lambda: _checked(self._cuda.cudaGraphLaunch(replay, self._stream))

    def _require(self, done: bool) -> None:
        if not done:
            raise StropError(f"TensorRT refused a batch: {self._loaded.reasons()}")


def _release(release: Callable[[Any], tuple[Any, ...]], what: Any) -> None:
    _checked(release(what))


def _checked(result: tuple[Any, ...]) -> Any:
    """What a CUDA call gave beside its status; ``StropError`` with CUDA's words when it failed."""
    status, *values = result
    if status != runtime.cudaError_t.cudaSuccess:
        _, words = runtime.cudaGetErrorString(status)
        raise StropError(f"CUDA failed: {words.decode()} ({status.name})")
    return values[0] if values else None
