"""What the NVIDIA driver tells of its GPUs, printed as JSON: a process of its own, for the driver's library
can end the one that loads it.
"""

import json
import sys
from typing import Any

import pynvml


def read() -> dict[str, Any]:
    """Versions of driver and CUDA, and name, compute capability and memory of each GPU.

    Raises ``pynvml.NVMLError`` when there is no driver.
    """
    pynvml.nvmlInit()
    handles = [pynvml.nvmlDeviceGetHandleByIndex(n) for n in range(pynvml.nvmlDeviceGetCount())]
    return {
        "driver": pynvml.nvmlSystemGetDriverVersion(),
        "cuda": pynvml.nvmlSystemGetCudaDriverVersion_v2(),
        "gpus": [_gpu(handle) for handle in handles],
    }


def _gpu(handle: object) -> dict[str, Any]:
    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    return {
        "name": pynvml.nvmlDeviceGetName(handle),
        "capability": list(pynvml.nvmlDeviceGetCudaComputeCapability(handle)),
        "memory": memory.total,
        "free": memory.free,
    }


if __name__ == "__main__":
    try:
        json.dump(read(), sys.stdout)
    except pynvml.NVMLError as error:
        sys.exit(str(error))
