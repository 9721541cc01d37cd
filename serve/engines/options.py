"""The options of ``strop serve`` that say what computes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from cyclopts import Group, Parameter

from strop.errors import InputError
from strop.host import usable_cores
from strop.options import flag, require_at_least

T = TypeVar("T")
GROUP = Group("What computes", sort_key=1)
Option = Annotated[T, Parameter(group=GROUP)]
Provider = Literal["auto", "cpu", "cuda", "tensorrt", "torch"]
LEAST_URGENT = 19
THREADS_OF_A_CORE = 32
"""Of workers, instances or threads, each: a slip of the pen is refused before it takes the box down."""
MEGABYTE = 1e6


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """What computes."""

    variant: Option[str | None] = None
    """The compressed form to serve, such as fp32 or int8; without it, the bundle's default on a CPU, and
    on a GPU the one of the smallest file that was made for --provider, such as fp16, but no sparse24, or
    else fp32. Take fp32 to compare answers, a smaller one for speed."""
    provider: Option[Provider] = "auto"
    """What computes: cpu; cuda, ONNX Runtime on an NVIDIA GPU; tensorrt, whose engine is built while the
    one before serves, unless it is in the cache; torch, for variants that are its own programs; or auto,
    the best of cpu and cuda that works here and that the variant was made for, or torch for torch's.
    Where one can't be had the next does it, and log, /metrics and metadata say so."""
    require_provider: Annotated[bool, Parameter(group=GROUP, negative="")] = False
    """Don't start where --provider can't be had, but say what to install. Set it wherever the slower
    one would not keep up. With tensorrt the server is ready once the engine is."""
    engine_cache: Option[Path | None] = None
    """Where TensorRT engines are kept. Default: engines in the cache, ~/.cache/strop."""
    memory_limit: Option[float] = 0.0
    """Megabytes that the model may take, of the GPU's memory or else of the machine's; it is refused
    when its estimate is above, and on a GPU takes no more for its batches. With tensorrt it bounds the
    engines of both libraries together, which is what a swap takes. 0 asks only that they fit into what
    is free."""
    workers: Option[int] = 1
    """Processes that answer on the one address, each with its own engines and queue; /metrics adds
    them up, and one that dies is replaced. Try more than 1 where one process is busy with calls
    rather than with the model, as on many cores. Connections, not calls, are spread over them: a
    client needs several channels (strop bench --channels)."""
    instances: Option[int] = 0
    """Batches computed at the same time in each worker; 0 means 2 on a GPU, each with the weights in its
    memory, and on a CPU one for each core that may be used, divided by --threads and --workers. Fewer
    leave cores to whatever else runs on the box."""
    threads: Option[int] = 1
    """Threads that compute one batch. More than 1 makes a lone call faster and the whole server
    slower. On a CPU alone."""
    nice: Option[int] = 10
    """By how much the instances give way to the rest of the server, as the command nice has it, from 0
    to 19. More keeps calls taken and refused at once under overload; less computes faster beside other
    programs that want the same cores."""
    layout: Option[Literal["bundle", "padded"]] = "bundle"
    """How texts share a batch on a CPU: as the bundle's variant was made for, packed end to end, or
    padded to the longest of the batch, as most servers do; slower here, for comparison. On a GPU they
    always are rows of a rectangle in one of a few fixed shapes."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` naming the option, its value and the fix."""
        require_at_least(self, workers=1, instances=0, threads=1, nice=0, memory_limit=0)
        most = THREADS_OF_A_CORE * usable_cores()
        for name in ("workers", "instances", "threads"):
            if (value := getattr(self, name)) > most:
                raise InputError(
                    f"{flag(name)} is {value}; {most} is the most for the {usable_cores()} cores here, and"
                    " more than one for each hardly ever helps"
                )
        if self.require_provider and self.provider == "auto":
            raise InputError("--require-provider needs to know which; add --provider cuda, tensorrt or cpu")
        if self.nice > LEAST_URGENT:
            raise InputError(f"--nice is {self.nice}; it is at most {LEAST_URGENT}")

    @property
    def instance_count(self) -> int:
        """Instances of each worker on a CPU, with 0 resolved for this machine."""
        return self.instances or max(1, usable_cores() // (self.threads * self.workers))

    @property
    def may_move_to_gpu(self) -> bool:
        """Whether a model that begins on the CPU may be computed on a GPU later."""
        return self.provider == "tensorrt"

    @property
    def memory_limit_bytes(self) -> int:
        """Bytes that a model may take; 0 sets no such bound."""
        return int(self.memory_limit * MEGABYTE)
