"""One instance's way to a GPU: memory, copies and a TensorRT execution context on a stream of its own.

Here alone are the calls that need a driver: CUDA's runtime through cuda-python, and TensorRT's runtime.
"""

import ctypes
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from cuda.bindings import runtime as cuda

from strop.errors import StropError
from strop.export.tensorrt import RTX, CachedEngine, messages_of, write_whole

from .tensorrt import Bytes


class LoadedEngine:
    """A deserialized engine, whose weights all its cards share."""

    def __init__(self, cached: CachedEngine) -> None:
        """Load it on GPU 0; ``StropError`` with TensorRT's reason when it can't be."""
        self._trt = import_module(cached.key.library)
        self._messages = messages_of(self._trt)
        self._runtime = self._trt.Runtime(self._messages)
        self._engine = self._runtime.deserialize_cuda_engine(cached.path.read_bytes())
        if self._engine is None:
            raise StropError(f"{cached.path} can't be loaded: {'; '.join(self._messages.errors)}")
        self._kernels = cached.path.with_suffix(".kernels") if cached.key.library == RTX else None
        self._config = None if self._kernels is None else self._compiling(self._kernels)

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Of every input and output by name; -1 where it differs from batch to batch."""
        names = map(self._engine.get_tensor_name, range(self._engine.num_io_tensors))
        return {name: tuple(self._engine.get_tensor_shape(name)) for name in names}

    def card(self) -> "TensorRTCard":
        """A context with a stream and memory of its own."""
        # TensorRT's first overload takes no argument that it could mistake for the other's.
        context = self._engine.create_execution_context(*([] if self._config is None else [self._config]))
        if context is None:
            raise StropError(f"no execution context could be made: {'; '.join(self._messages.errors)}")
        return TensorRTCard(context, self._messages.errors)

    def keep_kernels(self) -> None:
        """Keep what TensorRT-RTX compiled for this card, so that the next start needn't."""
        if self._kernels is not None and self._config is not None:
            write_whole(self._kernels, memoryview(self._config.get_runtime_cache().serialize()))

    def _compiling(self, kernels: Path) -> Any:
        """How TensorRT-RTX, which compiles for the card only when it runs, is to do that.

        Eagerly: what the golden examples and the warm-up have run is then what serves. It captures CUDA
        graphs by itself.
        """
        config = self._engine.create_runtime_config()
        config.cuda_graph_strategy = self._trt.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
        config.dynamic_shapes_kernel_specialization_strategy = (
            self._trt.DynamicShapesKernelSpecializationStrategy.EAGER
        )
        cache = config.create_runtime_cache()
        if kernels.is_file():
            cache.deserialize(kernels.read_bytes())  # refused by itself if it is of another card or driver
        config.set_runtime_cache(cache)
        return config


class TensorRTCard:
    """The ``Card`` that there really is."""

    def __init__(self, context: Any, errors: list[str]) -> None:
        self._context = context
        self._errors = errors
        self._profile = 0
        self._stream = _checked(cuda.cudaStreamCreateWithFlags(cuda.cudaStreamNonBlocking))
        self._device: list[int] = []
        self._pinned: list[int] = []

    def allocate(self, size: int) -> int:
        """The address of ``size`` bytes of device memory."""
        address = int(_checked(cuda.cudaMalloc(size)))
        self._device.append(address)
        return address

    def allocate_pinned(self, size: int) -> Bytes:
        """``size`` bytes of page-locked host memory."""
        address = int(_checked(cuda.cudaMallocHost(size)))
        self._pinned.append(address)
        return np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(address))

    def upload(self, address: int, source: Bytes) -> None:
        """Begin to copy pinned bytes to device memory."""
        kind = cuda.cudaMemcpyKind.cudaMemcpyHostToDevice
        _checked(cuda.cudaMemcpyAsync(address, source.ctypes.data, source.nbytes, kind, self._stream))

    def execute(
        self, profile: int, shapes: Mapping[str, tuple[int, ...]], addresses: Mapping[str, int]
    ) -> None:
        """Begin to compute; ``StropError`` with TensorRT's reason when it refuses."""
        self._errors.clear()
        context = self._context
        if profile != self._profile:
            # On the stream that computes, so that nothing need wait for the change.
            self._require(context.set_optimization_profile_async(profile, int(self._stream)))
            self._profile = profile
        for name, shape in shapes.items():
            self._require(context.set_input_shape(name, shape))
        for name, address in addresses.items():
            self._require(context.set_tensor_address(name, address))
        self._require(context.execute_async_v3(int(self._stream)))

    def download(self, target: Bytes, address: int) -> None:
        """Begin to copy device memory to pinned bytes."""
        kind = cuda.cudaMemcpyKind.cudaMemcpyDeviceToHost
        _checked(cuda.cudaMemcpyAsync(target.ctypes.data, address, target.nbytes, kind, self._stream))

    def wait(self) -> None:
        """Until all that was begun is done; ``StropError`` when it failed meanwhile."""
        _checked(cuda.cudaStreamSynchronize(self._stream))

    def close(self) -> None:
        """Give all memory back."""
        self.wait()
        self._context = None
        for address in self._device:
            _checked(cuda.cudaFree(address))
        for address in self._pinned:
            _checked(cuda.cudaFreeHost(address))
        _checked(cuda.cudaStreamDestroy(self._stream))

    def _require(self, done: bool) -> None:
        if not done:
            raise StropError(f"TensorRT refused a batch: {'; '.join(self._errors) or 'it gave no reason'}")


def _checked(result: tuple[Any, ...]) -> Any:
    """What a CUDA call gave beside its status; ``StropError`` with CUDA's words when it failed."""
    status, *values = result
    if status != cuda.cudaError_t.cudaSuccess:
        _, words = cuda.cudaGetErrorString(status)
        raise StropError(f"CUDA failed: {words.decode()} ({status.name})")
    return values[0] if values else None
