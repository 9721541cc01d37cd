"""A TensorRT engine on the GPU, whose weights all of its contexts share."""

import logging
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from strop.errors import StropError
from strop.export.tensorrt import RTX, CachedEngine, messages_of, write_whole

log = logging.getLogger(__name__)


class LoadedEngine:
    """A deserialized engine; any thread may ask it for a context."""

    def __init__(self, cached: CachedEngine) -> None:
        """Load it on GPU 0; ``StropError`` with TensorRT's reason when it can't be."""
        self._trt = import_module(cached.key.library)
        self._messages = messages_of(self._trt)
        self._runtime = self._trt.Runtime(self._messages)
        self._engine = self._runtime.deserialize_cuda_engine(cached.path.read_bytes())
        if self._engine is None:
            raise StropError(f"{cached.path} can't be loaded: {self.reasons()}")
        self.captures = cached.key.library == RTX
        """Whether its contexts capture CUDA graphs by themselves."""
        self._kernels = cached.path.with_suffix(".kernels")
        self._config = self._compiling() if self.captures else None

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Of every input and output by name; -1 where it differs from batch to batch."""
        names = map(self._engine.get_tensor_name, range(self._engine.num_io_tensors))
        return {name: tuple(self._engine.get_tensor_shape(name)) for name in names}

    @property
    def activation_bytes(self) -> int:
        """Device memory that a context must be given, enough for every profile."""
        return int(self._engine.device_memory_size_v2)

    def context(self) -> Any:
        """A new execution context, which has no memory for activations yet."""
        managed = self._trt.ExecutionContextAllocationStrategy.USER_MANAGED
        context = self._engine.create_execution_context(managed if self._config is None else self._config)
        if context is None:
            raise StropError(f"no execution context could be made: {self.reasons()}")
        return context

    def reasons(self) -> str:
        """What TensorRT said of the last failure."""
        return str(self._messages.reasons())

    def keep_kernels(self) -> None:
        """Keep what TensorRT-RTX compiled for this card, so that the next start needn't."""
        if self._config is None:
            return
        try:
            write_whole(self._kernels, memoryview(self._config.get_runtime_cache().serialize()))
        except OSError as error:
            log.warning("the next start compiles again: %s can't be written: %s", self._kernels, error)

    def _compiling(self) -> Any:
        """How TensorRT-RTX, which compiles for the card only when it runs, is to do that.

        Eagerly: what the golden examples and the warm-up have run is then what serves.
        """
        config = self._engine.create_runtime_config()
        config.set_execution_context_allocation_strategy(
            self._trt.ExecutionContextAllocationStrategy.USER_MANAGED
        )
        config.cuda_graph_strategy = self._trt.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
        config.dynamic_shapes_kernel_specialization_strategy = (
            self._trt.DynamicShapesKernelSpecializationStrategy.EAGER
        )
        cache = config.create_runtime_cache()
        if self._kernels.is_file():
            cache.deserialize(self._kernels.read_bytes())  # refused by itself if of another card or driver
        config.set_runtime_cache(cache)
        return config
