"""A TensorRT engine as an engine: batches in fixed shapes, in buffers that stay where they are."""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from strop.errors import StropError
from strop.export.bundle import Layout, by_input
from strop.export.tensorrt import EngineKey, Profile
from strop.tasks import Outputs, Task

from ..core import IntArray
from .capturing import GPU

Bytes = NDArray[np.uint8]
OUTPUT = "logits"


class Card(Protocol):
    """What an engine asks of a GPU; one call at a time, each of its own stream's order."""

    def allocate(self, size: int) -> int:
        """The address of ``size`` bytes of device memory."""
        ...

    def allocate_pinned(self, size: int) -> Bytes:
        """``size`` bytes of page-locked host memory, which copies need not wait for."""
        ...

    def upload(self, address: int, source: Bytes) -> None:
        """Begin to copy pinned bytes to device memory."""
        ...

    def execute(
        self, profile: int, shapes: Mapping[str, tuple[int, ...]], addresses: Mapping[str, int]
    ) -> None:
        """Begin to compute by an optimisation profile: the inputs' shapes, and where all tensors lie, which
        is always the same.
        """
        ...

    def download(self, target: Bytes, address: int) -> None:
        """Begin to copy device memory to pinned bytes."""
        ...

    def wait(self) -> None:
        """Until all that was begun is done."""
        ...

    def close(self) -> None:
        """Give all memory back."""
        ...


def engines_on(
    new_card: Callable[[], Card],
    count: int,
    key: EngineKey,
    shapes: Mapping[str, tuple[int, ...]],
    layout: Layout,
    task: Task,
) -> "list[TensorRTEngine]":
    """So many engines, each on a card of its own, or none: when one can't be had the others are closed."""
    with ExitStack() as undo:
        engines = []
        for _ in range(count):
            card = new_card()
            undo.callback(card.close)
            engines.append(TensorRTEngine(card, key, shapes, layout, task))
        undo.pop_all()
    return engines


class TensorRTEngine:
    """One card's context with its buffers; one batch at a time."""

    def __init__(
        self, card: Card, key: EngineKey, shapes: Mapping[str, tuple[int, ...]], layout: Layout, task: Task
    ) -> None:
        """``shapes``: of the inputs, int64, and of the logits, fp32; -1 in what differs by batch."""
        self._card = card
        self._profiles = key.profiles
        self._task = task
        self._captured: set[tuple[int, ...]] = set()
        self.layout = layout
        self.provider = f"{key.library} {key.version}"
        *_, self.width = shapes[OUTPUT]
        self._per_token = len(shapes[OUTPUT]) == len(("rows", "tokens", "outputs"))
        self._inputs = {
            name: _Buffer(
                card, max(math.prod(one.shapes(len(shape))[-1]) for one in self._profiles), np.int64
            )
            for name, shape in shapes.items()
            if name != OUTPUT
        }
        largest = max(math.prod(self._output_shape(one.most_rows, one.length)) for one in self._profiles)
        self._output = _Buffer(card, largest, np.float32)

    def run(self, sequences: Sequence[IntArray]) -> Outputs:
        """The outputs for n sequences of tokens, as far as they are told.

        Raises ``StropError`` for a batch of a shape that the engine wasn't built for, or that failed.
        """
        feeds = self.layout.feeds(sequences)
        shape = feeds["input_ids"].shape
        with GPU.together() if shape in self._captured else GPU.alone():
            logits = self._compute(feeds)
        self._captured.add(shape)
        found = by_input(self._task, self.layout, self._task.activate(logits), sequences)
        return self._task.told(found)

    def close(self) -> None:
        """Give the card's memory back."""
        with GPU.together():
            self._card.close()

    def _compute(self, feeds: Mapping[str, IntArray]) -> NDArray[np.float32]:
        rows, length = feeds["input_ids"].shape
        profile = _profile_for(self._profiles, rows, length)
        for name, buffer in self._inputs.items():
            buffer.upload(feeds[name])
        addresses = {
            name: buffer.address for name, buffer in (*self._inputs.items(), (OUTPUT, self._output))
        }
        self._card.execute(profile, {name: feeds[name].shape for name in self._inputs}, addresses)
        return self._output.download(self._output_shape(rows, length))

    def _output_shape(self, rows: int, length: int) -> tuple[int, ...]:
        return (rows, length, self.width) if self._per_token else (rows, self.width)


class _Buffer:
    """A tensor's memory on the card, and pinned beside it what is copied there or from there."""

    def __init__(self, card: Card, values: int, dtype: type[np.generic]) -> None:
        self._card = card
        self._host = card.allocate_pinned(values * np.dtype(dtype).itemsize).view(dtype)
        self.address = card.allocate(self._host.nbytes)

    def upload(self, array: NDArray[np.generic]) -> None:
        staged = self._host[: array.size]
        staged[...] = array.ravel()
        self._card.upload(self.address, staged.view(np.uint8))

    def download(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """A copy of the caller's own, once all is computed."""
        staged = self._host[: math.prod(shape)]
        self._card.download(staged.view(np.uint8), self.address)
        self._card.wait()
        return staged.reshape(shape).copy()


def _profile_for(profiles: Sequence[Profile], rows: int, length: int) -> int:
    for number, profile in enumerate(profiles):
        if length == profile.length and profile.least_rows <= rows <= profile.most_rows:
            return number
    known = ", ".join(map(str, profiles))
    raise StropError(f"the engine was not built for {rows} rows of {length} tokens, only for {known}")
