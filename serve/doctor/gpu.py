"""The GPU: whether there is one, and whether driver, libraries and ONNX Runtime's build go together."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from strop.kernel import Tree

from .finding import Finding, fail, in_units, ok, warn

# What onnxruntime-gpu 1.31 loads, by file and by the package that brings it.
LIBRARIES = {
    "CUDA runtime 13": ("libcudart.so.13", "nvidia-cuda-runtime"),
    "cuBLAS 13": ("libcublasLt.so.13", "nvidia-cublas"),
    "cuDNN 9": ("libcudnn.so.9", "nvidia-cudnn-cu13"),
}
CUDA = 13000
"""As NVML counts: 1000 times the major version."""
NVML_SECONDS = 10.0


@dataclass(frozen=True)
class Gpu:
    """One card."""

    name: str
    capability: tuple[int, int]
    """Compute capability."""
    memory_bytes: int
    free_bytes: int


@dataclass(frozen=True)
class Gpus:
    """What is there."""

    device: bool
    """Whether the kernel knows an NVIDIA card or chip."""
    driver: str
    cuda: int
    """The newest CUDA that the driver serves, 13000 for 13.0; 0 when it can't be asked."""
    cards: tuple[Gpu, ...]
    reason: str
    """Why the driver couldn't be asked."""
    libraries: frozenset[str]
    """File names that the loader knows."""


def read_gpus(tree: Tree, packages: Mapping[str, str]) -> Gpus:
    """Read it; ``packages`` are versions of what is installed, by name."""
    device = (
        tree.exists("dev/nvidiactl") or tree.exists("dev/nvhost-gpu") or tree.exists("proc/driver/nvidia")
    )
    told, reason = ({}, "") if not device else _ask(packages)
    return Gpus(
        device,
        told.get("driver", ""),
        told.get("cuda", 0),
        tuple(
            Gpu(card["name"], (card["capability"][0], card["capability"][1]), card["memory"], card["free"])
            for card in told.get("gpus", ())
        ),
        reason,
        _loadable() if device else frozenset(),
    )


def judge_gpus(gpus: Gpus, packages: Mapping[str, str]) -> Iterator[Finding]:
    """What it means for a server."""
    built_for_gpu = "onnxruntime-gpu" in packages
    if not gpus.device:
        if built_for_gpu:
            yield warn(
                "GPU",
                "none, yet onnxruntime-gpu is installed",
                "pip uninstall onnxruntime-gpu, pip install 'strop[cpu]'; or docker run --gpus all",
            )
        else:
            yield ok("GPU", "none; the CPU computes")
        return
    if gpus.reason:
        yield warn("GPU", f"can't be asked: {gpus.reason}", "nvidia-smi must work for the server's user")
    for number, card in enumerate(gpus.cards):
        major, minor = card.capability
        yield ok(
            "GPU",
            f"{number}: {card.name}, compute capability {major}.{minor},"
            f" {in_units(card.free_bytes)} free of {in_units(card.memory_bytes)}",
        )
    yield from _driver(gpus)
    if not built_for_gpu:
        yield warn(
            "GPU build",
            "ONNX Runtime is not built for it: the CPU computes",
            "pip uninstall onnxruntime, pip install 'strop[gpu]'",
        )
        return
    for name, (file, package) in LIBRARIES.items():
        if package in packages:
            yield ok(name, f"{package} {packages[package]}")
        elif file in gpus.libraries:
            yield ok(name, file)
        else:
            yield fail(name, f"{file} is not to be found", f"pip install {package}, or ldconfig its folder")


def _driver(gpus: Gpus) -> Iterator[Finding]:
    if not gpus.driver:
        return
    found = f"{gpus.driver}, for CUDA up to {gpus.cuda // 1000}.{gpus.cuda % 1000 // 10}"
    if gpus.cuda < CUDA:
        yield fail(
            "driver", found, "install one of branch 580 or later: onnxruntime-gpu is built for CUDA 13"
        )
    else:
        yield ok("driver", found)


def _ask(packages: Mapping[str, str]) -> tuple[dict[str, Any], str]:
    if "nvidia-ml-py" not in packages:
        return {}, "nvidia-ml-py is not installed"
    command = [sys.executable, "-P", "-m", "strop.serve.doctor.nvml"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=NVML_SECONDS, check=True)
        return json.loads(done.stdout), ""
    except subprocess.CalledProcessError as error:
        return {}, (error.stderr or f"exit code {error.returncode}").strip().splitlines()[-1]
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return {}, str(error)


def _loadable() -> frozenset[str]:
    """What the dynamic loader finds by name, as ``ldconfig -p`` prints it; nothing is loaded."""
    for ldconfig in ("ldconfig", "/sbin/ldconfig"):
        try:
            done = subprocess.run([ldconfig, "-p"], capture_output=True, text=True, timeout=10, check=False)
        except (OSError, subprocess.TimeoutExpired):
            continue
        return frozenset(re.findall(r"^\s+(\S+) \(", done.stdout, re.MULTILINE))
    return frozenset()
