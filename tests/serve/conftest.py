"""Tiny bundles, and servers that run them."""

import json
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bundles import write_bundle, write_manifest

DEADLINE_SECONDS = 60.0


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three labels, ten words, microseconds a batch."""
    return write_bundle(tmp_path_factory.mktemp("bundles") / "tiny")


@pytest.fixture(scope="session")
def slow_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same answers, at some tenths of a second a batch."""
    return write_bundle(tmp_path_factory.mktemp("bundles") / "slow", rounds=300)


@pytest.fixture(scope="session")
def contrary_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny bundle's opposite: it likes what the other doesn't."""
    return write_bundle(tmp_path_factory.mktemp("bundles") / "contrary", sign=-1)


def until(condition: Callable[[], Any]) -> Any:
    """Wait for ``condition`` to be true and return what it gave; fails after a minute."""
    end = time.monotonic() + DEADLINE_SECONDS
    while not (result := condition()):
        assert time.monotonic() < end, "the condition never came true"
        time.sleep(0.005)
    return result


@dataclass
class RunningServer:
    """A ``strop serve`` process that is ready."""

    process: subprocess.Popen[bytes]
    address: str
    metrics_address: str
    output: Path
    errors: Path

    def metrics(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """Every sample of the metrics page by name and labels."""
        with urllib.request.urlopen(f"http://{self.metrics_address}/metrics") as page:
            text = page.read().decode()
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples with these labels, whatever others they have."""
        found = [
            value
            for (sample, of), value in self.metrics().items()
            if sample == name and labels.items() <= dict(of).items()
        ]
        assert found, f"there is no {name} with {labels}"
        return sum(found)

    def signal(self) -> None:
        """What a supervisor sends."""
        self.process.send_signal(signal.SIGTERM)

    def exit_code(self) -> int:
        """Wait for the end."""
        return self.process.wait(DEADLINE_SECONDS)


def command(bundle: Path, *options: str) -> list[str]:
    """``strop serve``, on free ports unless the options say otherwise."""
    ports = [
        word
        for flag in ("--address", "--metrics-address")
        if flag not in options
        for word in (flag, "127.0.0.1:0")
    ]
    return [sys.executable, "-m", "strop", "serve", str(bundle), *ports, *options]


def start(folder: Path, bundle: Path, *options: str) -> RunningServer:
    ready, output, errors = folder / "ready.json", folder / "stdout", folder / "stderr"
    with output.open("wb") as out, errors.open("wb") as err:
        words = command(bundle, "--ready-file", str(ready), *options)
        process = subprocess.Popen(words, stdout=out, stderr=err)
    until(lambda: ready.exists() or process.poll() is not None)
    assert process.poll() is None, errors.read_text()
    found = json.loads(ready.read_text())
    assert found.pop("pid") == process.pid
    return RunningServer(process, output=output, errors=errors, **found)


Start = Callable[..., RunningServer]


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Start]:
    """Starts servers and, whatever the test did, leaves none behind."""
    started: list[RunningServer] = []

    def start_one(bundle: Path, *options: str) -> RunningServer:
        folder = tmp_path / f"server-{len(started)}"
        folder.mkdir()
        started.append(start(folder, bundle, *options))
        return started[-1]

    yield start_one
    for server in started:
        server.process.kill()
        server.process.wait()


@pytest.fixture
def refuse_to_start() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs ``strop serve`` to its end, for what must not come up."""

    def run(bundle: Path, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(bundle, *options),
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def server(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One server on the tiny bundle for every test that only asks."""
    running = start(tmp_path_factory.mktemp("server"), tiny_bundle)
    yield running
    running.signal()
    assert running.exit_code() == 0


@pytest.fixture(scope="session")
def slow_server(slow_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One server that computes text by text, so that hundreds take it minutes."""
    running = start(tmp_path_factory.mktemp("slow_server"), slow_bundle, "--batch-tokens", "8")
    yield running
    running.signal()
    assert running.exit_code() == 0


@pytest.fixture(scope="session")
def trying(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Two workers at a dollar a second, whose console has a box to try a text in."""
    options = ("--workers", "2", "--console-try", "--dollars-per-hour", "3600")
    running = start(tmp_path_factory.mktemp("trying"), tiny_bundle, *options)
    yield running
    running.signal()
    assert running.exit_code() == 0


@pytest.fixture(scope="session")
def channel(server: RunningServer) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(server.address) as channel:
        yield channel


@pytest.fixture(name="until")
def until_fixture() -> Callable[[Callable[[], Any]], Any]:
    return until


@pytest.fixture
def altered_bundle(tiny_bundle: Path, tmp_path: Path) -> Callable[[Callable[[Path], None]], Path]:
    """Copies the tiny bundle, changes it, and seals it again with the right checksums."""

    def alter(change: Callable[[Path], None]) -> Path:
        root = tmp_path / "altered"
        shutil.copytree(tiny_bundle, root)
        change(root)
        write_manifest(root)
        return root

    return alter
