"""The clock: whether reading it is cheap, and whether its time is the world's."""

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass

from strop.kernel import Tree

from .finding import Finding, ok, warn

SOURCE = "sys/devices/system/clocksource/clocksource0/current_clocksource"
# Read by asking the kernel or a device each time: a microsecond or more instead of some 20 ns.
DEAR = frozenset({"acpi_pm", "hpet", "jiffies", "pit", "refined-jiffies"})
# From adjtimex(2): what it returns while the clock follows no source, and room for its struct timex.
TIME_ERROR = 5
TIMEX_BYTES = 512


@dataclass(frozen=True)
class Clock:
    """What is there."""

    source: str
    """The kernel's name; nothing when it can't be read."""
    synchronised: bool | None
    """By NTP or PTP; None when the kernel won't say."""


def read_clock(tree: Tree) -> Clock:
    """Read it."""
    return Clock(tree.text(SOURCE), _synchronised())


def judge_clock(clock: Clock) -> Iterator[Finding]:
    """What it means for latencies, deadlines and traces."""
    if clock.source in DEAR:
        yield warn(
            "clock source",
            f"{clock.source}, slow to read, and every call reads it a dozen times",
            "boot with clocksource=tsc if the processor's is stable (dmesg | grep -i tsc)",
        )
    elif clock.source:
        yield ok("clock source", clock.source)
    if clock.synchronised is False:
        yield warn(
            "clock",
            "not synchronised",
            "run chrony or systemd-timesyncd: logs, traces and certificates go by it; deadlines don't",
        )
    elif clock.synchronised:
        yield ok("clock", "synchronised")


def _synchronised() -> bool | None:
    """What adjtimex(2) says when asked to change nothing, which needs no right."""
    try:
        adjtimex = ctypes.CDLL(None).adjtimex
    except (OSError, AttributeError):
        return None
    state: int = adjtimex(ctypes.create_string_buffer(TIMEX_BYTES))
    return None if state < 0 else state != TIME_ERROR
