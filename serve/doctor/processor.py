"""The processor: what it computes int8 with, how many cores there are, and how fast they run."""

import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass

from strop.cgroup import Cgroup
from strop.export.bundle.cpu import saturates
from strop.kernel import Tree

from .finding import Finding, ok, warn

# The kernel's names of what shortens a product of matrices, and what people call it.
X86 = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx_vnni": "AVX-VNNI",
    "avx512_vnni": "AVX-512 VNNI",
    "avx512_bf16": "AVX-512 BF16",
    "amx_int8": "AMX int8",
    "amx_bf16": "AMX bf16",
}
ARM = {"asimd": "NEON", "asimdhp": "fp16", "asimddp": "dot products", "i8mm": "int8 matrices", "sve": "SVE"}


@dataclass(frozen=True)
class Processor:
    """What is there."""

    machine: str
    """The kernel's name of the architecture, such as ``x86_64``."""
    name: str
    flags: frozenset[str]
    cores: int
    """Those that this process may run on."""
    quota: float | None
    """Cores' worth of time that its control group may take; None when there is no limit."""
    governors: frozenset[str]
    """Who chooses the cores' frequencies; none when that can't be seen, as in a virtual machine."""


def read_processor(tree: Tree, cgroup: Cgroup) -> Processor:
    """Read it."""
    told = tree.fields("proc/cpuinfo")
    governors = tree.matching("sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor")
    return Processor(
        machine=platform.machine(),
        name=told.get("model name") or platform.machine(),
        flags=frozenset((told.get("flags") or told.get("Features") or "").split()),
        cores=len(os.sched_getaffinity(0)),
        quota=cgroup.cores,
        governors=frozenset(filter(None, map(tree.text, governors))),
    )


def judge_processor(processor: Processor) -> Iterator[Finding]:
    """What it means for a server."""
    yield _instructions(processor)
    yield _cores(processor)
    if slow := processor.governors - {"performance", "schedutil"}:
        yield warn(
            "frequency",
            f"governor {', '.join(sorted(slow))}: cores may be slow when a lone call comes",
            "cpupower frequency-set -g performance, for a steadier p99",
        )
    elif processor.governors:
        yield ok("frequency", f"governor {', '.join(sorted(processor.governors))}")


def _instructions(processor: Processor) -> Finding:
    known = ARM if processor.machine == "aarch64" else X86
    found = ", ".join(name for flag, name in known.items() if flag in processor.flags)
    told = f"{processor.name}: {found or 'no vector instructions that the kernel tells of'}"
    if not processor.flags:
        return warn("processor", told, "none, if /proc is hidden on purpose; int8 can't be judged here")
    if processor.machine == "x86_64" and "avx2" not in processor.flags:
        return warn("processor", told, "take a machine with AVX2, which this one is far slower than")
    if processor.machine == "aarch64" and "asimddp" not in processor.flags:
        return warn(
            "processor", told, "serve fp32, or take a core with dot products: int8 gains little here"
        )
    if saturates(processor.machine, processor.flags):
        return warn(
            "processor",
            f"{told}; no VNNI, so sums of int8 products would saturate",
            "export on a machine like this one: int8 then keeps to 7-bit weights; or serve fp32",
        )
    return ok("processor", f"{told}; int8 is exact")


def _cores(processor: Processor) -> Finding:
    if processor.quota is not None and processor.quota < processor.cores:
        return warn(
            "cores",
            f"time of {processor.quota:g} on {processor.cores}, by the control group's quota",
            f"give it {max(1, int(processor.quota))} of its own (docker run --cpuset-cpus, or Kubernetes'"
            " static CPU manager): past its quota every thread stands still for the rest of a period",
        )
    return ok("cores", f"{processor.cores} may be used")
