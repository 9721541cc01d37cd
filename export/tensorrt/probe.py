"""Asks for TensorRT and for a card: ``python -m strop.export.tensorrt.probe``.

A process of its own, because without a driver the libraries may end the one that asks.
"""

import importlib
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import packages_distributions
from importlib.util import find_spec

from .library import MODULES, RTX, Card, Library


def _library() -> Mapping[str, object]:
    installed = [name for name in MODULES if find_spec(name)]
    if not installed:
        return {"no_library": f"none of the modules {', '.join(MODULES)} is installed"}
    reasons = []
    for name in installed:
        try:
            module = importlib.import_module(name)
        except (ImportError, OSError, RuntimeError) as error:
            reasons.append(f"{name} can't be loaded: {error}")
            continue
        names = module.ComputeCapability.__members__ if name == RTX else ()
        numbers = [one.removeprefix("SM") for one in names if one.startswith("SM")]
        capabilities = tuple(f"{number[:-1]}.{number[-1]}" for number in numbers)
        return {"library": asdict(Library(name, module.__version__, _cuda_of(name), capabilities))}
    return {"no_library": "; ".join(reasons)}


def _cuda_of(module: str) -> str:
    """The CUDA that a package's name ends with, such as tensorrt_cu13_libs, or that none says it."""
    installed = packages_distributions()
    owners = (owner for part in ("_libs", "_bindings") for owner in installed.get(module + part, ()))
    return next((found[1] for found in map(re.compile("cu([0-9]+)").search, owners) if found), "unnamed")


def _card() -> Mapping[str, object]:
    try:
        from cuda.bindings import runtime
    except ModuleNotFoundError as error:
        return {"no_card": f"the Python package {error.name!r} is not installed"}
    _, driver = runtime.cudaDriverGetVersion()  # 0 where there is none
    failed, count = runtime.cudaGetDeviceCount()
    if failed or not count:
        runs = f"the driver runs CUDA {_version(driver)} at most" if driver else "there is no driver"
        return {"no_card": f"CUDA finds no GPU ({failed.name}), and {runs}"}
    failed, properties = runtime.cudaGetDeviceProperties(0)
    if failed:
        return {"no_card": f"CUDA can't read the GPU's properties ({failed.name})"}
    capability = f"{properties.major}.{properties.minor}"
    return {"card": asdict(Card(properties.name.decode(), capability, _version(driver)))}


def _version(number: int) -> str:
    """CUDA's: 1000 for each major version and 10 for each minor one."""
    return f"{number // 1000}.{number % 1000 // 10}"


if __name__ == "__main__":
    for ask in (_card, _library):
        sys.stdout.write(json.dumps(ask()) + "\n")
        sys.stdout.flush()
