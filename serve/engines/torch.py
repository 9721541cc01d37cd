"""torch as an engine: programs in the packed layout, on a card by CUDA graphs."""

import gc
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from strop.errors import InputError
from strop.export.bundle import Bundle, Layout, PackedLayout, Variant, by_input
from strop.export.bundle.layout import IntArray
from strop.export.program.session import TorchSession
from strop.tasks import Outputs, Task

from .buckets import BUCKETS, Bucket, bucket_for
from .captured import CapturedRun
from .capturing import GPU
from .cuda import INSTANCES

if TYPE_CHECKING:
    from .options import EngineOptions

IDLE_STREAMS: list[torch.cuda.Stream] = []
"""Of engines that were closed: for each stream that it ever computed on, cuBLAS keeps its workspace."""


class TorchEngine:
    """One program in the packed layout; only on a CPU may several threads use it at once."""

    def __init__(
        self,
        session: TorchSession,
        layout: PackedLayout,
        task: Task,
        max_tokens: int,
        *,
        buckets: Sequence[Bucket] = BUCKETS,
    ) -> None:
        """On a card, capture a run for each bucket, on a stream of the engine's own."""
        self._session = session
        self._layout = layout
        self._task = task
        self._max_tokens = max_tokens
        self._captured: Mapping[Bucket, CapturedRun] = {}
        self._stream: torch.cuda.Stream | None = None
        self.provider = session.provider
        self.width = session.width
        if session.device.type == "cuda":
            self._stream = IDLE_STREAMS.pop() if IDLE_STREAMS else torch.cuda.Stream(session.device)
            self._captured = self._capture(buckets, self._stream)

    @property
    def layout(self) -> Layout:
        """Packed: a card pads a batch to its bucket besides."""
        return self._layout

    def run(self, sequences: Sequence[IntArray]) -> Outputs:
        """The outputs for n sequences of tokens, as far as they are told."""
        feeds = self._layout.tokens(sequences)
        with GPU.together():
            logits = self._logits(feeds, max(map(len, sequences)))
        rows = by_input(self._task, self._layout, self._task.activate(logits), sequences)
        return self._task.told(rows)

    def close(self) -> None:
        """Give its memory back, and the program's with the last engine that shares it; it can't be run
        any more.
        """
        with GPU.together():
            del self._session
            self._captured = {}
            gc.collect()  # a program's parts refer to each other
            if self._stream is not None:
                IDLE_STREAMS.append(self._stream)
                torch.cuda.empty_cache()

    def _logits(self, feeds: Mapping[str, IntArray], longest: int) -> NDArray[np.float32]:
        tokens, texts = feeds["input_ids"].shape[1], len(feeds["starts"])
        bucket = bucket_for(tokens, texts)
        if bucket is None or bucket not in self._captured or longest > self._max_tokens:
            return self._session.run(feeds)
        found = self._captured[bucket].run(bucket.filled(feeds))
        return found[:, :tokens] if self._task.per_token else found[:texts]

    def _capture(self, buckets: Sequence[Bucket], stream: torch.cuda.Stream) -> dict[Bucket, CapturedRun]:
        """The largest first: what it takes of the pool is enough for the others."""
        pool = torch.cuda.graph_pool_handle()
        example = self._layout.tokens([np.full(2, self._layout.pad_token_id)])
        found = {}
        for bucket in reversed(buckets):
            longest = min(bucket.tokens, self._max_tokens)
            with GPU.alone():
                found[bucket] = CapturedRun(self._session, bucket.filled(example), longest, stream, pool)
        return found


def open_torch(bundle: Bundle, variant: Variant, options: "EngineOptions") -> list[TorchEngine]:
    """The engines of all instances; they share one program's weights.

    On a CPU they are one engine. On a card each has its own stream and graphs. Raises ``InputError``
    for what a program can't do and for a file that this torch can't read.
    """
    layout = variant.layout
    if options.layout == "padded" or not isinstance(layout, PackedLayout):
        raise InputError(f"--layout padded: variant {variant.name!r} is torch's and packed; leave it out")
    with GPU.together():
        session = TorchSession(bundle.model_file(variant), threads=options.threads)

    def engine() -> TorchEngine:
        return TorchEngine(session, layout, bundle.task, bundle.manifest.max_tokens)

    if session.device.type == "cpu":
        return [engine()] * options.instance_count
    return [engine() for _ in range(options.instances or INSTANCES)]
