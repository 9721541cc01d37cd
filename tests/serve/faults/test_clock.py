"""A wall clock that jumps: deadlines, forecasts and rates go by the other one."""

import ctypes
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from strop.proto import strop_pb2 as pb
from strop.proto import strop_pb2_grpc as pb_grpc

# Adds the seconds in the file $WALL_CLOCK_OFFSET to what every library is told by the wall clock.
SHIM = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile long *offset;

__attribute__((constructor)) static void begin(void) {
    int file = open(getenv("WALL_CLOCK_OFFSET"), O_RDONLY);
    offset = mmap(NULL, sizeof(long), PROT_READ, MAP_SHARED, file, 0);
    close(file);
}
int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = syscall(SYS_clock_gettime, clock, now);
    if (!failed && clock == CLOCK_REALTIME && offset) now->tv_sec += *offset;
    return failed;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *where) {
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    if (where) *where = exact.tv_sec;
    return exact.tv_sec;
}
"""
HOUR = 3600
REQUEST = pb.ClassifyRequest(texts=["good film"])


@pytest.fixture
def wall_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets the wall clock of the processes that the test starts, as seconds beside the real one."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler to build a wall clock with")
    source, library, place = tmp_path / "clock.c", tmp_path / "clock.so", tmp_path / "offset"
    source.write_text(SHIM)
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source], check=True)

    def jump(seconds: int) -> None:
        with place.open("r+b" if place.exists() else "wb") as file:
            file.write(ctypes.c_long(seconds))

    jump(0)
    monkeypatch.setenv("LD_PRELOAD", str(library))
    monkeypatch.setenv("WALL_CLOCK_OFFSET", str(place))
    return jump


def test_a_wall_clock_that_jumps_changes_no_answer_and_no_deadline(
    wall_clock: Callable[[int], None],
    start_server: Callable[..., Any],
    slow_bundle: Path,
    until: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = start_server(slow_bundle, "--batch-tokens", "8", "--log-level", "debug")
    monkeypatch.delenv("LD_PRELOAD")
    with grpc.insecure_channel(server.address) as channel:
        strop = pb_grpc.StropStub(channel)
        strop.Classify(REQUEST, timeout=30)
        for seconds in (HOUR, -HOUR, 0):
            calls = [strop.Classify.future(REQUEST, timeout=30) for _ in range(40)]
            until(lambda: server.metric("strop_in_flight_requests") > 0)
            wall_clock(seconds)
            assert all(call.result().results[0].tokens == 4 for call in calls)
            with pytest.raises(grpc.RpcError) as caught:
                strop.Classify(pb.ClassifyRequest(texts=["good film"] * 64), timeout=0.05)
            assert caught.value.code() in (
                grpc.StatusCode.DEADLINE_EXCEEDED,
                grpc.StatusCode.RESOURCE_EXHAUSTED,
            )
        assert server.metric("strop_shed_total", reason="deadline") <= 3
    stamps = {line[10:23] for line in server.errors.read_text().splitlines() if line.startswith('{"time"')}
    assert len(stamps) > 1, "the clock of the log should have jumped"
