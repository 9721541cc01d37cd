"""NVIDIA's GPUs as their driver's management library, NVML, sees them; needs nvidia-ml-py (strop[gpu])."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import StropError

DEVICES = Path("/dev")
MILLI = 1e-3


class NvmlError(StropError):
    """NVML is not here, or doesn't tell what was asked."""


@dataclass(frozen=True)
class Gpu:
    """One GPU; whatever is asked of it may raise ``NvmlError``, for not every one tells everything."""

    number: int
    """In the order of the PCI bus, which need not be CUDA's."""
    library: Any
    """``pynvml`` after its ``nvmlInit``, or what stands in for it."""
    handle: Any

    def __str__(self) -> str:
        return f"GPU {self.number} {self._get('Name')}"

    def processes(self) -> set[int]:
        """The ids of those that compute on it; a container may not see them, or see others' numbers."""
        return {process.pid for process in self._get("ComputeRunningProcesses")}

    def joules(self) -> float:
        """Used since its driver was loaded; counted from Volta on."""
        return float(self._get("TotalEnergyConsumption")) * MILLI

    def watts(self) -> float:
        """What it draws: now, or since Ampere (but for GA100) over the last second on average."""
        return float(self._get("PowerUsage")) * MILLI

    def utilisation(self) -> float:
        """The share of the last sixth of a second to second in which a kernel ran, however small; not
        told of MIG slices.
        """
        return float(self._get("UtilizationRates").gpu) / 100

    def memory(self) -> tuple[int, int]:
        """Bytes in use by anybody, the driver included, and bytes in all."""
        found = self._get("MemoryInfo")
        return int(found.used), int(found.total)

    def _get(self, what: str) -> Any:
        try:
            return getattr(self.library, f"nvmlDeviceGet{what}")(self.handle)
        except self.library.NVMLError as error:
            raise NvmlError(f"NVML doesn't tell {what} of GPU {self.number}: {error}") from error


def any_gpu() -> bool:
    """Whether this machine shows one of NVIDIA's."""
    return any(DEVICES.glob("nvidia[0-9]*"))


def find_gpus() -> list[Gpu]:
    """Every GPU here; ``NvmlError`` with the reason when nobody can be asked."""
    try:
        # Not at the top: it is an extra.
        import pynvml
    except ImportError as error:
        raise NvmlError("nvidia-ml-py is not installed; pip install 'strop[gpu]'") from error
    try:
        pynvml.nvmlInit()
        return gpus_of(pynvml)
    except pynvml.NVMLError as error:
        raise NvmlError(f"NVML says {error}") from error


def gpus_of(library: Any) -> list[Gpu]:
    """Those of a library that is initialised; its ``NVMLError`` may come through."""
    count = library.nvmlDeviceGetCount()
    return [Gpu(number, library, library.nvmlDeviceGetHandleByIndex(number)) for number in range(count)]


def at_work(gpus: Collection[Gpu], pids: Collection[int] | None, *, surely: bool) -> list[Gpu]:
    """Those on which one of the processes ``pids`` computes, or any process if that is ``None``.

    Of only one, and if one ``surely`` does, it is that one: a container may see no process.
    """
    if surely and len(gpus) == 1:
        return list(gpus)
    running = [(gpu, gpu.processes()) for gpu in gpus]
    return [gpu for gpu, found in running if (found if pids is None else found & set(pids))]
