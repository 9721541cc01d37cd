"""MLServer with adaptive batching, in an environment and a process of its own."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import grpc

import strop
from strop.environment import Environment
from strop.errors import StropError
from strop.host import usable_cores
from strop.proto import open_inference_pb2

from .setting import Setting

MLSERVER = "1.7.1"
READY_SECONDS = 120.0
STOP_SECONDS = 15.0
READY_METHOD = "/inference.GRPCInferenceService/ModelReady"


@dataclass(frozen=True)
class Batching:
    """How MLServer is set up."""

    texts: int
    """Calls in a batch, at most."""
    seconds: float
    """How long it waits for a batch to fill."""
    workers: int
    """Processes that compute; 0 computes in threads of the server itself."""

    @property
    def instances(self) -> int:
        """Batches that each process computes at the same time, so that every core has one."""
        return 1 if self.workers else usable_cores()

    def __str__(self) -> str:
        where = f"{self.workers} workers" if self.workers else "no workers"
        return f"batches of {self.texts}, {1e3 * self.seconds:g} ms, {where}"


BATCHINGS = tuple(
    Batching(texts, seconds, workers)
    for texts in (16, 32)
    for seconds in (0.002, 0.005)
    for workers in (0, usable_cores())
)


@dataclass(frozen=True)
class Rival:
    """A running MLServer."""

    address: str
    pid: int


def requirements() -> list[str]:
    """What its environment holds: the engine and the tokenizer are this environment's own."""
    ours = [f"{package}=={version(package)}" for package in ("onnxruntime", "tokenizers", "numpy")]
    # MLServer sets an event loop policy in a way that newer uvloops don't take.
    return [f"mlserver=={MLSERVER}", "uvloop==0.21.0", *ours]


def environment() -> str:
    """The Python of an environment with MLServer, built in the cache on first use (minutes).

    Raises ``StropError`` with the reason when it can't be built.
    """
    if sys.version_info >= (3, 13):
        raise StropError(f"MLServer {MLSERVER} needs Python below 3.13; leave mlserver out of --parts")
    return str(Environment(f"mlserver-{MLSERVER}", (tuple(requirements()),)).make())


@contextlib.contextmanager
def mlserver(python: str, setting: Setting, batching: Batching) -> Iterator[Rival]:
    """An MLServer on free ports with the setting's bundle; ``StropError`` if it doesn't come up."""
    with tempfile.TemporaryDirectory(prefix="strop-mlserver-") as name:
        folder = Path(name)
        grpc_port, http_port, metrics_port = _free_ports(3)
        _write(
            folder / "settings.json",
            host="127.0.0.1",
            grpc_port=grpc_port,
            http_port=http_port,
            metrics_port=metrics_port,
            parallel_workers=batching.workers,
            debug=False,
        )
        _write(
            folder / "model-settings.json",
            name=setting.model,
            implementation="strop.bench.serving.mlserver_runtime.PaddedClassifier",
            max_batch_size=batching.texts,
            max_batch_time=batching.seconds,
            parameters={
                "uri": str(setting.bundle.root.resolve()),
                "extra": {"variant": setting.variant, "instances": batching.instances},
            },
        )
        # Only the package: this environment's site-packages must not reach MLServer's.
        (folder / "strop").symlink_to(Path(strop.__file__).resolve().parent)
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [str(Path(python).with_name("mlserver")), "start", str(folder)],
                env=os.environ | {"PYTHONPATH": str(folder)},
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
        address = f"127.0.0.1:{grpc_port}"
        try:
            _await_model(process, address, setting.model, folder / "log")
            yield Rival(address, process.pid)
        finally:
            _stop(process)


def _write(path: Path, **fields: Any) -> None:
    path.write_text(json.dumps(fields), encoding="utf-8")


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _await_model(process: "subprocess.Popen[bytes]", address: str, model: str, log: Path) -> None:
    request = open_inference_pb2.ModelReadyRequest(name=model).SerializeToString()
    deadline = time.monotonic() + READY_SECONDS
    with grpc.insecure_channel(address) as channel:
        ready = channel.unary_unary(READY_METHOD)
        while True:
            with contextlib.suppress(grpc.RpcError):
                reply = open_inference_pb2.ModelReadyResponse.FromString(ready(request, timeout=1.0))
                if reply.ready:
                    return
            if process.poll() is not None or time.monotonic() > deadline:
                said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
                raise StropError(f"MLServer did not come up: {''.join(said) or 'it said nothing'}")
            time.sleep(0.1)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
