"""ONNX Runtime in fixed shapes: each has its buffers, bound once, and on a GPU its captured graph."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from strop.export.bundle import Buckets, Session

from ..core import IntArray
from .capturing import GPU

# Of int64 values: 256 bytes, what CUDA's own allocations are aligned to.
ALIGNED_VALUES = 32
NO_GRAPH = "-1"
"""The graph id by which a run is neither captured nor replayed."""


def _allocated(values: int) -> IntArray:
    return np.zeros(values, dtype=np.int64)


@dataclass(frozen=True)
class Device:
    """Where a bound session computes."""

    provider: str
    """The ONNX Runtime execution provider."""
    memory: str
    """What ONNX Runtime calls its memory: ``cuda``, or ``cpu``."""
    options: Mapping[str, str]
    """The provider's options, by name."""
    allocate: Callable[[int], IntArray] = _allocated
    """Host memory for so many values; on a GPU page-locked, which it reads several times as fast."""


class BoundSession(Session):
    """A session for the shapes of a bucketed layout; ``run`` may be called from any thread.

    A shape's inputs lie in one block, so that one copy brings a batch to the device, and neither they
    nor the outputs ever move, as a captured graph wants it. All of it happens on a thread of the
    session's own: ONNX Runtime keeps a captured graph with the thread that captured it. A shape's first
    batch, which captures, is alone on the GPU. A batch of any other shape runs without buffers and graph.
    """

    def __init__(
        self, model: Path, device: Device, layout: Buckets, batch_tokens: int, threads: int = 1
    ) -> None:
        """Load ``model`` for batches of at most ``batch_tokens`` tokens; raises as ``Session`` does."""
        with GPU.together():
            super().__init__(
                model, provider=device.provider, provider_options=device.options, threads=threads
            )
        self._device = device
        self._shapes = set(layout.shapes(batch_tokens))
        self._plans: dict[tuple[int, int], _Plan] = {}
        self._loose = ort.RunOptions()
        self._loose.add_run_config_entry("gpu_graph_id", NO_GRAPH)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=device.memory)

    def run(self, feeds: Mapping[str, IntArray]) -> NDArray[np.float32]:
        """As ``Session.run``; the feeds are those of the layout."""
        return self._thread.submit(self._run, feeds).result()

    def close(self) -> None:
        """Give back buffers, captured graphs and weights."""
        self._thread.shutdown()
        with GPU.together():
            self._plans.clear()
            super().close()

    def _run(self, feeds: Mapping[str, IntArray]) -> NDArray[np.float32]:
        inputs = {name: feeds[name] for name in self._inputs}
        rows, length = feeds["input_ids"].shape
        if (rows, length) not in self._shapes:
            with GPU.together():
                (logits,) = self._session.run(["logits"], inputs, self._loose)
            return np.asarray(logits, dtype=np.float32)
        if (plan := self._plans.get((rows, length))) is not None:
            with GPU.together():
                return plan.run(inputs)
        with GPU.alone():
            plan = self._plan(inputs, rows, length)
            found = plan.run(inputs)
        self._plans[rows, length] = plan
        return found

    def _plan(self, inputs: Mapping[str, IntArray], rows: int, length: int) -> "_Plan":
        per_token = len(self._session.get_outputs()[0].shape) == 3
        outputs = (rows, length, self.width) if per_token else (rows, self.width)
        shapes = {name: array.shape for name, array in inputs.items()}
        # Numbers from 1 on: 0 is the graph of a run that names none.
        return _Plan(self._session, self._device, shapes, outputs, len(self._plans) + 1)


class _Plan:
    """The buffers of one shape, bound to the session's inputs and output."""

    def __init__(
        self,
        session: ort.InferenceSession,
        device: Device,
        inputs: Mapping[str, tuple[int, ...]],
        outputs: tuple[int, ...],
        graph: int,
    ) -> None:
        """``inputs``: the shape of each by name, all int64; ``outputs``: that of the logits."""
        self._session = session
        sizes = [-(-int(np.prod(shape)) // ALIGNED_VALUES) * ALIGNED_VALUES for shape in inputs.values()]
        begins = [sum(sizes[:number]) for number in range(len(sizes))]
        self._staged = device.allocate(sum(sizes))
        self._block = ort.OrtValue.ortvalue_from_shape_and_type([sum(sizes)], np.int64, device.memory, 0)
        self._binding = session.io_binding()
        self._views = {}
        for (name, shape), begin in zip(inputs.items(), begins, strict=True):
            self._views[name] = self._staged[begin : begin + int(np.prod(shape))].reshape(shape)
            address = self._block.data_ptr() + begin * self._staged.itemsize
            self._binding.bind_input(name, device.memory, 0, np.int64, shape, address)
        self._logits = ort.OrtValue.ortvalue_from_shape_and_type(outputs, np.float32, device.memory, 0)
        self._binding.bind_ortvalue_output("logits", self._logits)
        self._options = ort.RunOptions()
        self._options.add_run_config_entry("gpu_graph_id", str(graph))

    def run(self, inputs: Mapping[str, IntArray]) -> NDArray[np.float32]:
        """The logits for inputs of this shape, in memory of the caller's own."""
        for name, array in inputs.items():
            self._views[name][...] = array
        self._block.update_inplace(self._staged)
        self._session.run_with_iobinding(self._binding, self._options)
        return np.array(self._logits.numpy())
