"""What a worker tells its supervisor over a pipe: pickled reports, each behind its length."""

import asyncio
import pickle
from typing import BinaryIO

from .announce import Served

Report = Served | Exception
"""It is ready; or with what it ended."""

LENGTH_BYTES = 4


def write(stream: BinaryIO, report: Report) -> None:
    """Send one report."""
    content = pickle.dumps(report)
    stream.write(len(content).to_bytes(LENGTH_BYTES, "little") + content)
    stream.flush()


async def read(stream: asyncio.StreamReader) -> Report | None:
    """The next report; None when the worker ended without one."""
    try:
        length = int.from_bytes(await stream.readexactly(LENGTH_BYTES), "little")
        report: Report = pickle.loads(await stream.readexactly(length))
    except asyncio.IncompleteReadError:
        return None
    return report
