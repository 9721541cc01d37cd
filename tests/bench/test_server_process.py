"""A server of one's own, as the demo and tuning start it."""

import os
import signal
from pathlib import Path

import psutil
import pytest

from strop.bench.server_process import ServerProcess
from strop.errors import InputError, StropError


def test_it_is_ready_inside_the_block_and_gone_after_it(tiny_bundle: Path) -> None:
    with ServerProcess(tiny_bundle, "--instances", 1) as server:
        process = psutil.Process(server.pid)
        ports = {str(end.laddr.port) for end in process.net_connections() if end.status == "LISTEN"}
        assert {end.rpartition(":")[2] for end in (server.address, server.metrics_address)} <= ports
    assert not process.is_running()


def test_an_error_in_the_block_stops_it_and_is_what_the_caller_sees(tiny_bundle: Path) -> None:
    server = ServerProcess(tiny_bundle)
    with pytest.raises(RuntimeError, match="ours"), server:
        raise RuntimeError("ours")
    assert not psutil.pid_exists(server.pid)


def test_one_that_died_in_the_block_is_an_error_at_its_end(tiny_bundle: Path) -> None:
    server = ServerProcess(tiny_bundle)
    with pytest.raises(StropError, match="ended with exit code -9"), server:
        os.kill(server.pid, signal.SIGKILL)


def test_what_does_not_start_is_said_in_the_server_s_own_words(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing is not a bundle"), ServerProcess(tmp_path / "nothing"):
        pytest.fail("it started")
