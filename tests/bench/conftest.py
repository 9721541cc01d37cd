"""A fake server in a process of its own, and files of texts for it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bundles import write_bundle
from strop.cli import main

SCRIPT = Path(__file__).with_name("fake_server.py")
# A script's own folder is on its path, the current one is not.
ENVIRONMENT = os.environ | {"PYTHONPATH": str(SCRIPT.parents[2])}


@dataclass(frozen=True)
class FakeServer:
    """A running ``fake_server.py``."""

    process: subprocess.Popen[str]
    address: str

    def next_line(self) -> str:
        """What it says next; waits for it."""
        assert self.process.stdout
        return self.process.stdout.readline().strip()


@contextmanager
def running(seconds: float, port: int = 0) -> Iterator[FakeServer]:
    command = [sys.executable, str(SCRIPT), str(seconds), str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        assert process.stdout
        try:
            yield FakeServer(process, f"127.0.0.1:{process.stdout.readline().strip()}")
        finally:
            process.kill()


@pytest.fixture
def strop() -> Callable[..., int]:
    """The command line with these words; gives its exit code."""

    def run(*words: str) -> int:
        try:
            return main(list(words))
        except SystemExit as end:
            return int(end.code or 0)

    return run


@pytest.fixture(scope="session")
def server() -> Iterator[FakeServer]:
    """Answers after two milliseconds."""
    with running(0.002) as server:
        yield server


@pytest.fixture
def run_server() -> Callable[..., AbstractContextManager[FakeServer]]:
    """Starts one for a block; takes the seconds that it answers after, and a port to listen on again."""
    return running


@pytest.fixture
def fresh_server() -> Iterator[FakeServer]:
    """Not asked anything yet."""
    with running(0.002) as server:
        yield server


@pytest.fixture(scope="session")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty texts, of which the fake server gets thirty right."""
    path = tmp_path_factory.mktemp("texts") / "test.jsonl"
    rows = [
        {"text": f"{'good' if n % 2 else 'bad'} film {n}", "label": "good" if n % 4 else "odd"}
        for n in range(40)
    ]
    rows = [row | {"label": "bad"} if n % 4 == 2 else row for n, row in enumerate(rows)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny bundle of the server's own tests, for a real server."""
    return write_bundle(tmp_path_factory.mktemp("bundles") / "tiny")


@pytest.fixture(scope="session")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few hundred texts of words that the tiny bundle knows."""
    path = tmp_path_factory.mktemp("words") / "test.jsonl"
    rows = [
        " ".join(["good", "bad", "not", "a", "film"][number % 5 :] * (1 + number % 4))
        for number in range(200)
    ]
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in rows), encoding="utf-8")
    return path
