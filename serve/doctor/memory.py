"""Memory: whether the model fits, and whether its pages stay there."""

from collections.abc import Iterator
from dataclasses import dataclass

from strop.cgroup import Cgroup
from strop.host import free_memory
from strop.kernel import Tree, whole

from .finding import Finding, fail, in_units, ok, warn

# Python, ONNX Runtime, gRPC and queues: 120 MB were measured beside MiniLM-L6 in int8, and some to spare.
SERVER_BYTES = 150_000_000


@dataclass(frozen=True)
class Memory:
    """In bytes; None where it can't be read."""

    total: int | None
    free: int | None
    """What a server could still take, of the box's and of the control group's."""
    limit: int | None
    """The control group's."""
    swap_total: int | None
    swap_free: int | None


def read_memory(tree: Tree, cgroup: Cgroup) -> Memory:
    """Read it."""
    told = tree.fields("proc/meminfo")

    def of(name: str) -> int | None:
        kilobytes = whole(told.get(name, ""))
        return None if kilobytes is None else kilobytes * 1024

    return Memory(of("MemTotal"), free_memory(tree), cgroup.memory_bytes, of("SwapTotal"), of("SwapFree"))


def judge_memory(memory: Memory, model_bytes: int) -> Iterator[Finding]:
    """Whether a server of models that take ``model_bytes`` at their peaks fits; 0 is for no model."""
    yield _room(memory, SERVER_BYTES + model_bytes)
    if memory.swap_total and memory.swap_free is not None:
        used = memory.swap_total - memory.swap_free
        if used > 0:
            yield warn(
                "swap",
                f"{in_units(used)} of {in_units(memory.swap_total)} are in use",
                "free memory, then swapoff -a; or MemorySwapMax=0 for the server's unit: a page of the"
                " model that comes from disk is a call that comes too late",
            )
        else:
            yield ok("swap", f"{in_units(memory.swap_total)}, none in use")
    elif memory.swap_total == 0:
        yield ok("swap", "none")


def _room(memory: Memory, needed: int) -> Finding:
    if memory.free is None:
        return warn("memory", "can't be read", "none, if /proc is hidden on purpose")
    of = memory.total if memory.limit is None else memory.limit
    found = f"{in_units(memory.free)} free" + (f" of {in_units(of)}" if of else "")
    found += "" if memory.limit is None else ", by its control group"
    if memory.free < needed:
        return fail(
            "memory", found, f"free {in_units(needed)}, raise the limit, or serve a smaller variant"
        )
    return ok("memory", f"{found}; the server takes about {in_units(needed)}")
