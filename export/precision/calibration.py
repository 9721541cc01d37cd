"""What a numeric form may need besides the graph: example inputs, and a judge of what it costs."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnx

Feeds = Mapping[str, NDArray[np.int64]]


@dataclass(frozen=True)
class Calibration:
    """Training texts as a form sees them; no label is needed."""

    feeds: Callable[[], Iterable[Feeds]]
    """Batches in the variants' layout, begun anew by every call."""
    divergence: Callable[[Path], float]
    """How far a graph's answers are from fp32's, in nats; only ``mixed`` asks, once a layer."""

    def feeds_of(self, graph: "onnx.GraphProto") -> Iterator[Feeds]:
        """Of the batches what the graph reads, since a layout makes inputs for every kind of graph."""
        names = [node.name for node in graph.input]
        return ({name: feeds[name] for name in names} for feeds in self.feeds())
