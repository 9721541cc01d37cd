"""A program's run on one bucket, captured as a CUDA graph: one launch instead of hundreds.

The steps are those of torch's notes on CUDA graphs: warm up on a side stream, capture, then copy into
the inputs of the capture and replay.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from strop.export.bundle.layout import IntArray
from strop.export.program.session import TorchSession, as_tensor

WARM_UP_RUNS = 3


class CapturedRun:
    """One bucket's graph with its own inputs and output; not for two threads at once."""

    def __init__(
        self,
        session: TorchSession,
        feeds: Mapping[str, IntArray],
        max_length: int,
        stream: torch.cuda.Stream,
        pool: Any,
    ) -> None:
        """Capture the run of ``feeds``, in whose shapes all others must be, on ``stream``.

        No sequence may have more than ``max_length`` tokens. ``pool``, of
        ``torch.cuda.graph_pool_handle``, is shared by the graphs of a stream: each may write over
        another's logits, which have been copied out by then, and none reads what another left.
        """
        self._stream = stream
        self._staged = {name: as_tensor(name, feeds[name]).pin_memory() for name in session.inputs}
        self._inputs = {name: host.to(session.device) for name, host in self._staged.items()}
        stream.wait_stream(torch.cuda.current_stream(session.device))
        with torch.inference_mode(), torch.cuda.stream(stream):
            for _ in range(WARM_UP_RUNS):
                session.compute(self._inputs, max_length)
        stream.synchronize()
        self._graph = torch.cuda.CUDAGraph()
        with (
            torch.inference_mode(),
            torch.cuda.graph(self._graph, pool=pool, stream=stream, capture_error_mode="thread_local"),
        ):
            self._logits = session.compute(self._inputs, max_length)
        self._answer = torch.empty(self._logits.shape, dtype=self._logits.dtype, pin_memory=True)

    def run(self, feeds: Mapping[str, IntArray]) -> NDArray[np.float32]:
        """Logits for feeds of the captured shapes."""
        for name, host in self._staged.items():
            host.numpy()[...] = feeds[name]
        with torch.inference_mode(), torch.cuda.stream(self._stream):
            for name, host in self._staged.items():
                self._inputs[name].copy_(host, non_blocking=True)
            self._graph.replay()
            self._answer.copy_(self._logits, non_blocking=True)
        self._stream.synchronize()
        return self._answer.numpy().copy()  # the next run writes there
