"""What a container or unit may use of the box: the limits of its control group and those above it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from .kernel import Tree, whole

MOUNT = "sys/fs/cgroup"
# Version 1 says "no limit" by the largest number of whole pages.
UNLIMITED_BYTES = 1 << 60


@dataclass(frozen=True)
class Cgroup:
    """The tightest limits; None where there is none, or none can be read."""

    cores: float | None = None
    """Of processor time: the quota divided by its period."""
    memory_bytes: int | None = None
    memory_used: int | None = None
    """Of the group whose limit that is."""


def read_cgroup(tree: Tree) -> Cgroup:
    """Read version 2 of control groups, or else version 1."""
    if tree.exists(f"{MOUNT}/cgroup.controllers"):
        groups = list(_own_and_above(tree, MOUNT, ""))
        cores = [_share(*tree.text(f"{group}/cpu.max").partition(" ")[::2]) for group in groups]
        files = "memory.max", "memory.current"
    else:
        groups = list(_own_and_above(tree, f"{MOUNT}/cpu", "cpu"))
        quotas = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
        cores = [_share(*(tree.text(f"{group}/{file}") for file in quotas)) for group in groups]
        groups = list(_own_and_above(tree, f"{MOUNT}/memory", "memory"))
        files = "memory.limit_in_bytes", "memory.usage_in_bytes"
    limits = [(tree.number(f"{group}/{files[0]}"), tree.number(f"{group}/{files[1]}")) for group in groups]
    memory = [(most, used) for most, used in limits if most is not None and most < UNLIMITED_BYTES]
    most, used = min(memory, key=lambda limit: limit[0], default=(None, None))
    return Cgroup(min((share for share in cores if share is not None), default=None), most, used)


def _share(quota: str, period: str) -> float | None:
    """Cores' worth of time; None where the quota is ``max`` or -1, or there is none."""
    most, each = whole(quota), whole(period)
    return most / each if most and each else None


def _own_and_above(tree: Tree, mount: str, controller: str) -> Iterator[str]:
    """Folders of the process's group and of those that it is in; in a container its own is the root."""
    own = "/"
    for line in tree.text("proc/self/cgroup").splitlines():
        _, names, path = (line + "::").split(":", 2)
        if controller in names.split(","):
            own = path.removesuffix("::").split("\0")[0]
    folder = PurePosixPath("/", own)
    for group in (folder, *folder.parents):
        yield f"{mount}{group}".rstrip("/")
