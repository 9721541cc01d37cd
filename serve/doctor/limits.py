"""Limits of the kernel and the file system: open files, waiting connections, room on disk."""

import os
import resource
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from strop.host import default_cache
from strop.kernel import Tree

from .finding import Finding, fail, in_units, ok, warn

# The server's own: libraries, sockets, event loop, the files of counts.
OWN_FILES = 128
CONNECTIONS = 1000
SOME_BYTES = 100_000_000


@dataclass(frozen=True)
class Place:
    """A folder that is written to."""

    what: str
    path: Path
    free_bytes: int | None
    """None when the folder can't be written."""


@dataclass(frozen=True)
class Limits:
    """What is there."""

    open_files: int
    """That this process may have; one for each connection."""
    most_open_files: int
    """To which it may raise that."""
    backlog: int | None
    """Connections that may wait to be accepted (net.core.somaxconn)."""
    places: tuple[Place, ...]


def read_limits(tree: Tree) -> Limits:
    """Read them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return Limits(
        soft,
        hard,
        tree.number("proc/sys/net/core/somaxconn"),
        (_place("cache", default_cache()), _place("temporary files", _temporary())),
    )


def judge_limits(limits: Limits, accept_backlog: int) -> Iterator[Finding]:
    """What they mean for a server with that ``--accept-backlog``."""
    yield _open_files(limits)
    if limits.backlog is not None and limits.backlog < accept_backlog:
        yield warn(
            "connections",
            f"{limits.backlog} may wait to be accepted, fewer than --accept-backlog {accept_backlog}",
            f"sysctl -w net.core.somaxconn={accept_backlog}, or serve --accept-backlog {limits.backlog}",
        )
    elif limits.backlog is not None:
        yield ok("connections", f"{limits.backlog} may wait to be accepted")
    yield from map(_room, limits.places)


def _open_files(limits: Limits) -> Finding:
    if limits.open_files == resource.RLIM_INFINITY:
        return ok("open files", "unlimited")
    found = f"{limits.open_files}; each connection takes one"
    raised = "ulimit -n 65536, or LimitNOFILE=65536 in the unit"
    if limits.open_files < OWN_FILES:
        return fail("open files", found, raised)
    if limits.open_files < OWN_FILES + CONNECTIONS:
        return warn("open files", found, raised)
    return ok("open files", found)


def _room(place: Place) -> Finding:
    if place.free_bytes is None:
        return warn(
            place.what, f"{place.path} can't be written", f"{_ELSEWHERE[place.what]}, if it is needed"
        )
    found = f"{in_units(place.free_bytes)} free in {place.path}"
    if place.free_bytes < SOME_BYTES:
        return warn(place.what, found, f"free {in_units(SOME_BYTES)}, or {_ELSEWHERE[place.what]}")
    return ok(place.what, found)


_ELSEWHERE = {
    "cache": "set STROP_CACHE to a folder that can be written",
    "temporary files": "set TMPDIR to a folder that can be written; serve --workers keeps its counts there",
}


def _temporary() -> Path:
    try:
        return Path(tempfile.gettempdir())
    except OSError:
        return Path(os.environ.get("TMPDIR") or "/tmp")  # noqa: S108 - only named in the report


def _place(what: str, path: Path) -> Place:
    """Look at the folder, or at the nearest above it that is there, where it would be made."""
    try:
        there = next(folder for folder in (path, *path.parents) if folder.is_dir())
        writable = os.access(there, os.W_OK | os.X_OK)
        return Place(what, path, shutil.disk_usage(there).free if writable else None)
    except (OSError, StopIteration):
        return Place(what, path, None)
