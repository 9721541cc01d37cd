"""What a numeric form may need besides the graph: example inputs, and a judge of what it costs."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Feeds = Mapping[str, NDArray[np.int64]]


@dataclass(frozen=True)
class Calibration:
    """Training texts as a form sees them; no label is needed."""

    feeds: Callable[[], Iterable[Feeds]]
    """Packed batches, begun anew by every call."""
    divergence: Callable[[Path], float]
    """How far a graph's answers are from fp32's, in nats; only ``mixed`` asks, once a layer."""
