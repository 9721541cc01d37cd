"""Latencies as HDR histograms: compressed for the report, and added up over processes and repeats.

The format is HdrHistogram's own (V2, zlib, base64): its tools in any language read it, too.
"""

from collections.abc import Iterable

import numpy as np
from hdrh.histogram import HdrHistogram

from .pacing import FloatArray

UNIT_SECONDS = 1e-6
"""What the histograms count in: whole microseconds."""
LONGEST_SECONDS = 3600.0
"""Anything longer counts as this."""
DIGITS = 3
"""Significant digits: a value read back is within 0.1 % of the one recorded, or within a microsecond."""


def record(seconds: FloatArray) -> str:
    """The histogram of the times, encoded."""
    histogram = _new()
    ticks = np.clip(np.rint(seconds / UNIT_SECONDS), 1, LONGEST_SECONDS / UNIT_SECONDS)
    for value, count in zip(*np.unique(ticks.astype(np.int64), return_counts=True), strict=True):
        histogram.record_value(int(value), int(count))
    return _encode(histogram)


def merge(histograms: Iterable[str]) -> str:
    """Encoded histograms added up, encoded."""
    total = _new()
    for one in histograms:
        total.decode_and_add(one)
    return _encode(total)


def count(histogram: str) -> int:
    """How many times are in an encoded histogram."""
    return int(HdrHistogram.decode(histogram).get_total_count())


def percentile(histogram: str, percent: float) -> float | None:
    """The time in seconds that ``percent`` of those recorded don't exceed, within 0.1 %.

    ``None`` where as few are recorded as ``statistics.percentile`` refuses.
    """
    decoded = HdrHistogram.decode(histogram)
    if not decoded.get_total_count() or decoded.get_total_count() * (100.0 - percent) < 100.0 - 1e-6:
        return None
    return float(decoded.get_value_at_percentile(percent) * UNIT_SECONDS)


def _new() -> HdrHistogram:
    return HdrHistogram(1, int(LONGEST_SECONDS / UNIT_SECONDS), DIGITS)


def _encode(histogram: HdrHistogram) -> str:
    encoded: bytes = histogram.encode()
    return encoded.decode("ascii")
