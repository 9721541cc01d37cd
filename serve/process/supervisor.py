"""The supervisor of several workers: one address, one metrics page, and whoever dies is replaced."""

import asyncio
import contextlib
import logging
import os
import pickle
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from strop.errors import StropError

from ..address import check_free, reserved
from ..config import ServeConfig
from ..console.port import metrics_port
from ..doors.doors import Doors
from ..feedback.prepare import prepare_store
from ..observe.gpu import metered
from ..observe.spending import counted
from . import reports
from .announce import Addresses, Served, announce, prepare_ready
from .counts import Counts

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
STEADY_SECONDS = 60.0

# Any byte would do.
DRAIN = b"d"


def run_workers(config: ServeConfig) -> None:
    """Serve the bundle in ``config.workers`` processes until a signal; returns once all are drained.

    Raises what a worker that can't start raises, as ``run_server`` does; ``StropError`` when calls
    had to be cancelled at the end.
    """
    check_free("--metrics-address", config.metrics_address)
    prepare_store(config)
    asyncio.run(_supervise(config))


async def _supervise(config: ServeConfig) -> None:
    # Either signal cancels what this function waits for: first the service, then the drain.
    doors = Doors.of(config)
    if config.unlocked:
        log.warning(config.unlocked)
    supervisor = asyncio.current_task()
    assert supervisor is not None  # noqa: S101
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, supervisor.cancel)
    with (
        reserved("--address", config.address) as address,
        tempfile.TemporaryDirectory(prefix="strop-", ignore_cleanup_errors=True) as folder,
    ):
        prepare_ready(config.ready_file)
        counts = Counts(Path(folder))
        counts.require_room(config.workers)
        shared = replace(config, address=address)
        workers = [Worker(number, shared, counts) for number in range(config.workers)]
        with metrics_port(counts.registry, counts.state, config, doors) as (console, metrics_address):
            async with counted(counts.registry, config.dollars_per_hour, counts.texts):
                try:
                    with contextlib.suppress(asyncio.CancelledError):
                        served, *_ = await asyncio.gather(*(worker.start() for worker in workers))
                        pids = [worker.pid for worker in workers]
                        async with metered(
                            counts.registry,
                            served.on_gpu or config.may_move_to_gpu,
                            pids,
                            counts.texts,
                            config.tariff,
                        ):
                            console.address = address
                            announce(served, config, Addresses(address), metrics_address)
                            await asyncio.gather(*(worker.keep() for worker in workers))
                    await _drain(workers)
                except asyncio.CancelledError:
                    raise StropError("stopped by a second signal") from None
                finally:
                    await asyncio.gather(*(worker.kill() for worker in workers))


async def _drain(workers: Sequence["Worker"]) -> None:
    errors = await asyncio.gather(*(worker.drain() for worker in workers))
    if failed := [str(error) for error in errors if error is not None]:
        raise StropError("; ".join(failed))


def next_pause(last: float, lived: float) -> float:
    """Seconds before a worker that ``lived`` so long is replaced; ``last`` was the pause before it.

    Each death doubles the pause, and one after a steady life begins anew.
    """
    if lived > STEADY_SECONDS:
        return FIRST_PAUSE_SECONDS
    return min(max(2 * last, FIRST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)


class Worker:
    """The place of one worker: its successors go on with its number and its counts.

    The process gets its config and the order to drain on standard input, whose end tells it that
    the supervisor is gone. On standard output it reports that it is ready, or with what it ended.
    """

    def __init__(self, number: int, config: ServeConfig, counts: Counts) -> None:
        self._number = number
        self._config = config
        self._counts = counts
        self._process: asyncio.subprocess.Process | None = None
        self._ready = False

    async def start(self) -> Served:
        """Start a process; returns once it is ready, and raises what kept it from becoming so."""
        process = self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",
            "-m",
            "strop.serve.process.worker",
            str(self._number),
            str(self._counts.folder),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            # An interrupt at the terminal is for the supervisor alone.
            process_group=0,
        )
        _input(process).write(pickle.dumps(self._config))
        report = await reports.read(_output(process))
        if isinstance(report, Served):
            self._ready = True
            self._counts.ready()
            return report
        raise report or StropError(f"a worker {await _ending(process)} before it was ready")

    @property
    def pid(self) -> int:
        """The id of its process, once started."""
        assert self._process is not None  # noqa: S101
        return self._process.pid

    async def keep(self) -> None:
        """Replace the process whenever it dies."""
        pause = 0.0
        while self._process is not None:
            began = time.monotonic()
            ending = await _ending(self._process)
            if self._ready:
                self._ready = False
                self._counts.died(self._number)
            pause = next_pause(pause, time.monotonic() - began)
            facts = {"worker": self._number, "pid": self._process.pid, "ending": ending, "pause_s": pause}
            log.error("a worker is replaced", extra={"facts": facts})
            await asyncio.sleep(pause)
            try:
                await self.start()
            except (StropError, ModuleNotFoundError, OSError) as error:
                log.error("a worker can't start: %s", error, extra={"facts": {"worker": self._number}})

    async def drain(self) -> Exception | None:
        """Let the process finish its calls; returns what went wrong with that."""
        if self._process is None or not self._ready:
            return None
        _input(self._process).write(DRAIN)
        report = await reports.read(_output(self._process))
        ending = await _ending(self._process)
        if isinstance(report, Exception):
            return report
        return StropError(f"a worker {ending} instead of draining") if self._process.returncode else None

    async def kill(self) -> None:
        """End the process, if it lives, and wait for its end."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


def _input(process: asyncio.subprocess.Process) -> asyncio.StreamWriter:
    assert process.stdin is not None  # noqa: S101
    return process.stdin


def _output(process: asyncio.subprocess.Process) -> asyncio.StreamReader:
    assert process.stdout is not None  # noqa: S101
    return process.stdout


async def _ending(process: asyncio.subprocess.Process) -> str:
    """Wait for the end of ``process`` and say how it ended."""
    code = await process.wait()
    if code < 0:
        return f"was killed by signal {-code} ({signal.strsignal(-code)})"
    return f"ended with exit code {code}"
