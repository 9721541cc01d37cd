"""What ModelStatistics tells: counts and summed durations since the start."""

import time
from collections import defaultdict
from dataclasses import dataclass, field

from ..core import Timings


@dataclass(slots=True)
class Total:
    """How often something was measured, and the sum in nanoseconds."""

    count: int = 0
    ns: int = 0

    def add(self, seconds: float) -> None:
        """One more measurement."""
        self.count += 1
        self.ns += round(seconds * 1e9)


@dataclass(slots=True)
class Statistics:
    """The counters, and the verbs that move them; called on the event loop."""

    texts: int = 0
    last_answer: float = 0.0
    """Seconds since the epoch."""
    success: Total = field(default_factory=Total)
    fail: Total = field(default_factory=Total)
    tokenise: Total = field(default_factory=Total)
    queue: Total = field(default_factory=Total)
    compute: Total = field(default_factory=Total)
    deliver: Total = field(default_factory=Total)
    """From the last score until the answer was ready."""
    batches: dict[int, Total] = field(default_factory=lambda: defaultdict(Total))
    """By the number of texts in them."""

    def answered(self, texts: int, timings: Timings) -> None:
        """A call's texts were scored."""
        self.texts += texts
        self.last_answer = time.time()
        self.success.add(timings.total)
        self.tokenise.add(timings.tokenise)
        self.queue.add(timings.queue)
        self.compute.add(timings.compute)
        self.deliver.add(timings.total - timings.tokenise - timings.queue - timings.compute)

    def failed(self, seconds: float) -> None:
        """A call to this model ended without an answer."""
        self.fail.add(seconds)

    def computed(self, texts: int, seconds: float) -> None:
        """A batch was computed."""
        self.batches[texts].add(seconds)
