"""The Python packages: whether what serves is there, and no two builds of one thing."""

import platform
import re
from collections.abc import Iterator, Mapping
from importlib import metadata

from .finding import Finding, fail, ok

RUNTIMES = ("onnxruntime", "onnxruntime-gpu")


def read_packages() -> dict[str, str]:
    """Versions of all that is installed, by name in lower case with hyphens."""
    found: dict[str, str] = {}
    for one in metadata.distributions():
        # A folder that an interrupted pip left has metadata without a name.
        if name := one.name:
            found.setdefault(_plain(name), one.version)
    return found


def needed_packages() -> tuple[str, ...]:
    """What serving needs besides ONNX Runtime, as Strop's own metadata tells; nothing without them."""
    try:
        requirements = metadata.requires("strop") or []
    except metadata.PackageNotFoundError:
        return ()
    names = (re.match(r"[\w.-]+", one) for one in requirements if "extra ==" not in one)
    return tuple(_plain(name[0]) for name in names if name)


def judge_packages(packages: Mapping[str, str], needed: tuple[str, ...]) -> Iterator[Finding]:
    """Whether the server would start."""
    runtimes = [name for name in RUNTIMES if name in packages]
    if missing := [name for name in needed if name not in packages]:
        yield fail("packages", f"{', '.join(missing)} missing", "pip install 'strop[cpu]'")
    else:
        shown = ("strop", *runtimes, "grpcio", "numpy", "tokenizers")
        versions = [f"{name} {packages[name]}" for name in shown if name in packages]
        yield ok("packages", ", ".join([f"Python {platform.python_version()}", *versions]))
    if not runtimes:
        yield fail("ONNX Runtime", "not installed", "pip install 'strop[cpu]', or 'strop[gpu]'")
    elif len(runtimes) > 1:
        yield fail(
            "ONNX Runtime",
            f"two builds in one environment: {' and '.join(runtimes)} write the same files",
            "pip uninstall both, then pip install one of 'strop[cpu]' and 'strop[gpu]'",
        )


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
