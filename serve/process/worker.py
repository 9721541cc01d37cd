"""One worker of ``strop serve --workers``; only the supervisor starts it."""

import asyncio
import os
import pickle
import shutil
import signal
import sys
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import BinaryIO

from prometheus_client import values

from strop.errors import StropError

from ..config import ServeConfig
from ..console.gathered import state_file
from ..observe import log
from . import reports


def work(number: int, counts: Path) -> int:
    """Serve until the supervisor says to drain; returns the exit code.

    ``counts`` is the folder where every worker counts, each in files of its own number.
    """
    # A signal to all processes, as a service manager sends it, is the supervisor's to hear.
    for ignored in (signal.SIGTERM, signal.SIGINT):
        signal.signal(ignored, signal.SIG_IGN)
    supervisor = _take_stdout()
    config: ServeConfig = pickle.load(sys.stdin.buffer)
    log.configure(config.log_level, worker=number)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(counts)
    values.ValueClass = values.MultiProcessValue(lambda: number)
    drain = _listen(counts)
    try:
        _serve(config, supervisor, drain, state_file(counts, number))
    except (StropError, ModuleNotFoundError) as error:
        reports.write(supervisor, error)
        return 1
    return 0


def _take_stdout() -> BinaryIO:
    """The pipe to the supervisor; what libraries print goes to standard error from now on."""
    pipe = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return pipe


def _listen(counts: Path) -> "Future[None]":
    """Done when the supervisor says to drain; when it is gone, the process ends at once."""
    drain: Future[None] = Future()

    def listen() -> None:
        # Not through sys.stdin: its lock would be held when the interpreter ends.
        while os.read(sys.stdin.fileno(), 1):
            drain.set_result(None)
        shutil.rmtree(counts, ignore_errors=True)
        os._exit(1)

    threading.Thread(target=listen, name="supervisor", daemon=True).start()
    return drain


def _serve(config: ServeConfig, supervisor: BinaryIO, drain: "Future[None]", told: Path) -> None:
    # Not at the top: what can't be imported is reported, and no metric may exist before its files.
    import uvloop

    from ..console.standing import Standing, written
    from ..doors.doors import Doors
    from ..observe.metrics import Metrics
    from .models import loaded, served
    from .server import listening

    doors = Doors.of(config)

    async def serve() -> None:
        standing = Standing()
        async with (
            written(standing, told),
            loaded(config, Metrics(), standing) as models,
            listening(models, config, doors),
        ):
            reports.write(supervisor, served(models.catalogue))
            await asyncio.wrap_future(drain)

    uvloop.run(serve())


if __name__ == "__main__":
    sys.exit(work(int(sys.argv[1]), Path(sys.argv[2])))
