"""Facts of this machine and its software: without them a measured number means nothing."""

import os
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from . import __version__
from .cgroup import read_cgroup
from .kernel import BOX, Tree, whole


@dataclass(frozen=True)
class Host:
    """The machine that something was measured on."""

    name: str
    cpu: str
    cores: int
    """Those that this process may use."""
    memory_bytes: int
    kernel: str

    def __str__(self) -> str:
        return f"{self.cpu}, {self.cores} cores"


def read_host() -> Host:
    """Read the facts of this machine."""
    return Host(
        name=platform.node() or "unknown",
        cpu=_cpu(),
        cores=usable_cores(),
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        kernel=f"{platform.system()} {platform.release()}",
    )


def usable_cores(tree: Tree = BOX) -> int:
    """Cores whose time this process may use, which a container can make fewer than the machine has.

    They are those that it may run on, or as many whole ones as its control group's quota has.
    """
    cores = len(os.sched_getaffinity(0))
    quota = read_cgroup(tree).cores
    return cores if quota is None else max(1, min(cores, int(quota)))


def share_cores() -> None:
    """Let torch's threads wait without holding their cores; to be called before torch is loaded.

    By default one that waits for another spins so long that training runs 20 times slower when
    anything else wants its core; this much cost nothing measurable on two quiet cores.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")


def cpu_flags() -> frozenset[str]:
    """The instruction sets of this machine, by the kernel's names, such as ``avx2``."""
    return frozenset(_cpuinfo("flags", "Features").split())


def read_versions(packages: Iterable[str]) -> dict[str, str]:
    """Versions of Strop, Python and those of ``packages`` that are installed."""
    versions = {"strop": __version__, "python": platform.python_version()}
    for package in packages:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions


def free_memory(tree: Tree = BOX) -> int | None:
    """Bytes that a process may still take: what the kernel has, or less in a limited container.

    ``None`` where the kernel doesn't tell.
    """
    kilobytes = whole(tree.fields("proc/meminfo").get("MemAvailable", ""))
    cgroup = read_cgroup(tree)
    found = [] if kilobytes is None else [kilobytes * 1024]
    if cgroup.memory_bytes is not None:
        found.append(max(0, cgroup.memory_bytes - (cgroup.memory_used or 0)))
    return min(found, default=None)


def default_cache() -> Path:
    """Where downloads are kept: ``$STROP_CACHE``, else ``strop`` under the user's cache folder."""
    if place := os.environ.get("STROP_CACHE"):
        return Path(place).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "strop"


def _cpu() -> str:
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def _cpuinfo(*keys: str) -> str:
    """What the kernel says of the first core under one of these keys, or nothing."""
    told = BOX.fields("proc/cpuinfo")
    return next((told[key] for key in keys if told.get(key)), "")
