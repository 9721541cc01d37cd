"""The options of ``strop train`` that say how the machine is used: memory, numbers, threads."""

from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

from cyclopts import Group, Parameter

from strop.host import usable_cores
from strop.options import require_at_least

T = TypeVar("T")
GROUP = Group("How the machine is used", sort_key=5)
Option = Annotated[T, Parameter(group=GROUP)]
Precision = Literal["auto", "bf16", "fp16", "tf32", "fp32"]


@dataclass(frozen=True, kw_only=True)
class RunningOptions:
    """How the machine is used."""

    batch_size: Option[int] = 32
    """Texts in a batch, on each device. More is steadier and needs memory; raise the learning rate
    with it."""
    accumulation: Option[int] = 1
    """Batches to a step. 4 with --batch-size 8 learns as one batch of 32 would, in a quarter of the
    memory."""
    gradient_checkpointing: Annotated[bool, Parameter(group=GROUP, negative="")] = False
    """Compute each layer's activations again instead of keeping them: much less memory for long texts
    and large batches, and a step takes about a third longer."""
    compile: Annotated[bool, Parameter(group=GROUP, negative="")] = False
    """Compile the encoder's layers with torch.compile: meant for long runs on CUDA, where it is not yet
    measured. On a CPU it takes minutes before the first steps, and MiniLM with lora in bf16 was a fifth
    slower afterwards. Needs a C++ compiler."""
    precision: Option[Precision] = "auto"
    """Numbers that the matrices are multiplied in; the weights stay fp32. auto is bf16 where this
    machine has instructions for it (two to three times as quick), fp32 elsewhere. fp16 and tf32 are
    for CUDA: fp16 for GPUs older than Ampere, tf32 for fp32's range at more speed."""
    threads: Option[int] = 0
    """CPU threads to compute with; 0 means one for each core that this process may use."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` naming the option, its value and the fix."""
        require_at_least(self, batch_size=1, accumulation=1, threads=0)

    @property
    def thread_count(self) -> int:
        """Threads, with 0 resolved for this process."""
        return self.threads or usable_cores()
