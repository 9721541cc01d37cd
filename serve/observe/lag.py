"""How late the event loop is: what every call on it waits besides its own work."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

from .metrics import Metrics

INTERVAL_SECONDS = 0.1


@contextlib.asynccontextmanager
async def sampled(metrics: Metrics) -> AsyncIterator[None]:
    """Measure the lag, and sample what ``metrics`` watches, while the block runs."""
    sampler = asyncio.create_task(_sample(metrics))
    try:
        yield
    finally:
        sampler.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await sampler


async def _sample(metrics: Metrics) -> None:
    while True:
        # Not the loop's own clock: uvloop's stands still while the loop is busy.
        due = time.monotonic() + INTERVAL_SECONDS
        await asyncio.sleep(INTERVAL_SECONDS)
        metrics.lagged(max(0.0, time.monotonic() - due))
        metrics.sample()
