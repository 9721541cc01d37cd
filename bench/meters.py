"""The energy counters of this machine: RAPL of its processors, NVML of the GPU that serves.

Neither sees memory, disks, fans or what the power supply loses.
"""

from collections.abc import Collection, Sequence
from pathlib import Path

from strop.nvml import Gpu, NvmlError, any_gpu, at_work, find_gpus

from .clients import is_local
from .energy import Counter, Meters

POWERCAP = Path("/sys/class/powercap")
MICROJOULES = 1e6


def find_meters(address: str, on_gpu: bool | None, server_pid: int | None) -> Meters:
    """The counters of the machine that serves at ``address``, and of the GPU that serves.

    ``on_gpu``: whether a GPU does, ``None`` if that is not known.
    """
    if not is_local(address):
        return Meters(missing=("the server's machine is another one, whose counters can't be read here",))
    processors = rapl(POWERCAP)
    return processors if on_gpu is False else processors.and_also(_nvidia(on_gpu, server_pid))


def rapl(folder: Path) -> Meters:
    """A counter for each processor package of the kernel's power capping framework.

    Cores and graphics are parts of a package, memory isn't everywhere, and a whole platform would count
    the packages twice, so those are left out. See the kernel's Documentation/power/powercap/powercap.rst.
    """
    counters: dict[str, Counter] = {}
    try:
        for zone in sorted(folder.glob("intel-rapl:*")):
            name = (zone / "name").read_text(encoding="ascii").strip()
            if name.startswith("package-"):
                counters[name] = RaplCounter(zone)
    except OSError as error:
        fix = "; run as root, or let this user read it" if isinstance(error, PermissionError) else ""
        return Meters(missing=(f"{error.filename} can't be read: {error.strerror}{fix}",))
    if not counters:
        return Meters(missing=(f"there is no RAPL counter of a processor under {folder}",))
    return Meters(counters)


class RaplCounter:
    """Joules of a package since it was made; right if asked more often than the counter wraps around."""

    def __init__(self, zone: Path) -> None:
        """``OSError`` if the zone can't be read."""
        self._file = zone / "energy_uj"
        self._range = int((zone / "max_energy_range_uj").read_text(encoding="ascii"))
        self._last = self._count()
        self._sum = 0

    def __call__(self) -> float:
        """The joules so far."""
        count = self._count()
        self._sum += (count - self._last) % self._range
        self._last = count
        return self._sum / MICROJOULES

    def _count(self) -> int:
        return int(self._file.read_text(encoding="ascii"))


def _nvidia(on_gpu: bool | None, server_pid: int | None) -> Meters:
    if not any_gpu():
        return Meters()
    try:
        return nvml(find_gpus(), on_gpu, _family(server_pid) if server_pid else None)
    except NvmlError as error:
        return Meters(missing=(f"GPUs: {error}",))


def nvml(gpus: Sequence[Gpu], on_gpu: bool | None, server: Collection[int] | None) -> Meters:
    """A counter of the GPU that serves.

    It is the only one there is if ``on_gpu``; else each on which a process of ``server`` computes, or
    without process ids the only one on which any does. Raises ``NvmlError`` if it has no counter.
    """
    serving = at_work(gpus, server, surely=bool(on_gpu))
    if not serving:
        return Meters(missing=("GPUs: the server is not seen to compute on one",))
    if server is None and len(serving) > 1:
        names = ", ".join(map(str, serving))
        return Meters(missing=(f"GPUs: {names} all compute, and which serves is not known; --server-pid",))
    for gpu in serving:
        gpu.joules()  # not every GPU has it
    return Meters({str(gpu): gpu.joules for gpu in serving})


def _family(pid: int) -> set[int]:
    # Not at the top: psutil is an extra.
    import psutil

    return {pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))}
