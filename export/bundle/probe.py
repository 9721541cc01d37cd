"""Whether ONNX Runtime really computes on a GPU here, and why not: ``python -m strop.export.bundle.probe``.

In a process of its own, because a library that doesn't fit its driver may take the process with it.
"""

import contextlib
import ctypes
import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from ..providers import CUDA, TORCH

DEVICES = Path("/dev")
DEVICE_FILES = ("nvidia[0-9]*", "nvhost-gpu", "dxg")
"""What a GPU looks like on a server, a Jetson and under WSL."""
DRIVER_VERSION = Path("/proc/driver/nvidia/version")
SECONDS = 120
CAPABILITY = (75, 76)
"""CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR of cuda.h."""
INSTALL = "pip uninstall onnxruntime, then pip install 'strop[gpu]'"


@dataclass(frozen=True)
class Versions:
    """What is installed, and what ONNX Runtime's build asks for; empty where there is none."""

    onnxruntime: str
    wants_cuda: str
    driver: str = ""
    driver_cuda: str = ""
    """The newest CUDA that the driver runs."""
    runtime: str = ""
    """The CUDA runtime library's."""
    cudnn: str = ""
    compute_capability: str = ""
    """The first GPU's."""

    def __str__(self) -> str:
        return ", ".join(
            f"{name.replace('_', ' ')} {value}" for name, value in asdict(self).items() if value
        )


@dataclass(frozen=True)
class Probed:
    """How the process ended."""

    versions: Versions | None
    """None when it ended before it knew them."""
    provider: str
    """What ONNX Runtime ran a small model on; empty when it ran none."""
    said: str
    """What it wrote to standard error."""
    code: int


def missing(provider: str) -> str | None:
    """Why a variant's provider can't compute here, and what to install; None if it can."""
    if provider == TORCH:
        return None if find_spec("torch") else "torch isn't installed; pip install 'strop[torch]'"
    import onnxruntime as ort

    built_with = tuple(ort.get_available_providers())
    if provider == CUDA:
        return cuda_missing(built_with) or cuda_fault(probe())
    return (
        None if provider in built_with else f"the ONNX Runtime installed here is built without {provider}"
    )


def cuda_missing(providers: tuple[str, ...], devices: Path = DEVICES) -> str | None:
    """Why there can be no CUDA here, as far as that is seen without trying: None if it may be.

    ``providers``: those that ONNX Runtime was built with.
    """
    if CUDA not in providers:
        return f"the ONNX Runtime installed here is built without it; {INSTALL}"
    if not gpu_seen(devices):
        return (
            "there is no NVIDIA GPU to be seen; install its driver, or start the container with --gpus all"
        )
    return None


def gpu_seen(devices: Path = DEVICES) -> bool:
    """Whether this machine has an NVIDIA GPU, whatever can be done with it."""
    return any(True for pattern in DEVICE_FILES for _ in devices.glob(pattern))


def cuda_fault(probed: Probed) -> str | None:
    """Why ONNX Runtime doesn't compute on the GPU, and what to install: None if it does."""
    versions = probed.versions
    if probed.code < 0:
        return f"trying it ended with {signal.Signals(-probed.code).name}; see that driver and CUDA agree"
    if versions is None:
        return f"trying it failed: {_last_line(probed.said)}"
    if not versions.driver_cuda:
        return "NVIDIA's libcuda.so.1 can't be loaded; install the GPU's driver"
    if _numbers(versions.driver_cuda)[:1] < _numbers(versions.wants_cuda)[:1]:
        return (
            f"driver {versions.driver or 'of unknown version'} runs CUDA {versions.driver_cuda} at most and"
            f" onnxruntime {versions.onnxruntime} wants {versions.wants_cuda}; update the driver"
        )
    if probed.provider != CUDA:
        missing = re.search(r"(lib[\w.-]+\.so[.\d]*): cannot open shared object", probed.said)
        if missing:
            return f"{missing[1]} is not installed; pip install 'strop[gpu]' brings it"
        return f"ONNX Runtime refused it: {_last_line(probed.said)}"
    return None


@cache
def probe() -> Probed:
    """Try it once, for at most ``SECONDS`` seconds."""
    command = [sys.executable, "-P", "-m", __name__]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return Probed(None, "", f"no answer in {SECONDS} s", 1)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    versions = Versions(**lines[0]) if lines else None
    provider = lines[1]["provider"] if len(lines) > 1 else ""
    return Probed(versions, provider, done.stderr, done.returncode)


def _tell() -> None:
    """Print the versions, then, once it has run, what a small model ran on: each as a line of JSON."""
    import onnxruntime as ort
    from onnxruntime.datasets import get_example

    out, sys.stdout = sys.stdout, sys.stderr  # what ONNX Runtime prints is no answer
    ort.preload_dlls()
    major = ort.cuda_version.partition(".")[0]
    versions = Versions(
        onnxruntime=version(ort.package_name),
        wants_cuda=ort.cuda_version,
        driver=_driver(),
        driver_cuda=_version("libcuda.so.1", "cuDriverGetVersion"),
        runtime=_version(f"libcudart.so.{major}", "cudaRuntimeGetVersion"),
        cudnn=_cudnn(),
        compute_capability=_compute_capability(),
    )
    print(json.dumps(asdict(versions)), file=out, flush=True)
    session = ort.InferenceSession(get_example("sigmoid.onnx"), providers=[CUDA], enable_fallback=0)
    import numpy as np

    session.run(None, {"x": np.zeros((3, 4, 5), dtype=np.float32)})
    print(json.dumps({"provider": session.get_providers()[0]}), file=out, flush=True)


def _driver() -> str:
    """The driver's own version, as the kernel module tells it."""
    with contextlib.suppress(OSError):
        found = re.search(r"(\d+\.\d+(?:\.\d+)?)", DRIVER_VERSION.read_text(encoding="ascii"))
        return found[1] if found else ""
    return ""


def _version(library: str, function: str) -> str:
    """What a CUDA library says of itself: 1000 for each major version and 10 for each minor one."""
    found = ctypes.c_int()
    try:
        code = getattr(ctypes.CDLL(library), function)(ctypes.byref(found))
    except (OSError, AttributeError):
        return ""
    return "" if code else f"{found.value // 1000}.{found.value % 1000 // 10}"


def _cudnn() -> str:
    """cuDNN's: 10,000 for each major version, 100 for each minor one."""
    try:
        library = ctypes.CDLL("libcudnn.so.9")
    except OSError:
        return ""
    library.cudnnGetVersion.restype = ctypes.c_size_t
    number = library.cudnnGetVersion()
    return f"{number // 10_000}.{number % 10_000 // 100}.{number % 100}"


def _compute_capability() -> str:
    """The first GPU's, as its driver tells it."""
    device, found = ctypes.c_int(), (ctypes.c_int(), ctypes.c_int())
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return ""
    failed = driver.cuInit(0) or driver.cuDeviceGet(ctypes.byref(device), 0)
    for attribute, number in zip(CAPABILITY, found, strict=True):
        failed = failed or driver.cuDeviceGetAttribute(ctypes.byref(number), attribute, device)
    return "" if failed else ".".join(str(number.value) for number in found)


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(".")]


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip("\x1b[0m \t")]
    return re.sub(r"\x1b\[[0-9;]*m", "", lines[-1]) if lines else "it said nothing"


if __name__ == "__main__":
    _tell()
