"""The options of ``strop serve`` that say what computes."""

from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

from cyclopts import Group, Parameter

from strop.errors import InputError
from strop.host import usable_cores
from strop.options import require_at_least

T = TypeVar("T")
GROUP = Group("What computes", sort_key=1)
Option = Annotated[T, Parameter(group=GROUP)]
LEAST_URGENT = 19


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """What computes."""

    variant: Option[str | None] = None
    """The compressed form to serve, such as fp32 or int8; without it, the bundle's default. Take
    fp32 to compare answers, a smaller one for speed."""
    workers: Option[int] = 1
    """Processes that answer on the one address, each with its own engines and queue; /metrics adds
    them up, and one that dies is replaced. Try more than 1 where one process is busy with calls
    rather than with the model, as on many cores. Connections, not calls, are spread over them: a
    client needs several channels (strop bench --channels)."""
    instances: Option[int] = 0
    """Batches computed at the same time in each worker; 0 means one for each core that may be used,
    divided by --threads and --workers. Fewer leave cores to whatever else runs on the box."""
    threads: Option[int] = 1
    """Threads that compute one batch. More than 1 makes a lone call faster and the whole server
    slower."""
    nice: Option[int] = 10
    """By how much the instances give way to the rest of the server, as the command nice has it, from 0
    to 19. More keeps calls taken and refused at once under overload; less computes faster beside other
    programs that want the same cores."""
    layout: Option[Literal["bundle", "padded"]] = "bundle"
    """How texts share a batch: as the bundle's variant was made for, which on CPU is packed end to
    end, or padded to the longest of the batch, as most servers do; slower here, for comparison."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` naming the option, its value and the fix."""
        require_at_least(self, workers=1, instances=0, threads=1, nice=0)
        if self.nice > LEAST_URGENT:
            raise InputError(f"--nice is {self.nice}; it is at most {LEAST_URGENT}")

    @property
    def instance_count(self) -> int:
        """Instances of each worker, with 0 resolved for this machine."""
        return self.instances or max(1, usable_cores() // (self.threads * self.workers))
