"""Training in several processes, as torchrun and accelerate start them: who writes, how many there are."""

import os
from functools import cache
from typing import TYPE_CHECKING

from strop.errors import InputError
from strop.tasks import Task

# torch is imported where it is needed: who is the main process is asked before it is loaded.
if TYPE_CHECKING:
    from torch.distributed import ProcessGroup


def process_count() -> int:
    """Processes that train together; each takes its own batches."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main() -> bool:
    """Whether this process writes the run and talks to the user."""
    return os.environ.get("RANK", "0") == "0"


def any_process(asks: bool) -> bool:
    """Whether any of the processes that train together asks for something; all have to call it."""
    if process_count() == 1:
        return asks
    import torch
    from torch import distributed

    # On the CPU, so that no GPU is waited for.
    asked = torch.tensor(int(asks))
    distributed.all_reduce(asked, distributed.ReduceOp.MAX, group=_cpu_group())
    return bool(asked)


@cache
def _cpu_group() -> "ProcessGroup":
    from torch import distributed

    group: ProcessGroup = distributed.new_group(backend="gloo")
    return group


def require_one_gpu_each() -> None:
    """Raise ``InputError`` where one process would spread over several GPUs."""
    import torch

    gpus = torch.cuda.device_count()
    if process_count() == 1 and gpus > 1:
        raise InputError(
            f"this machine shows {gpus} GPUs to one process; use them all with torchrun --nproc-per-node"
            f" {gpus} -m strop train …, or one with CUDA_VISIBLE_DEVICES=0"
        )


def require_company(task: Task, batch_size: int) -> None:
    """Raise ``InputError`` where a task whose examples learn from each other would have too few of them.

    Several processes are refused, since transformers loses count of what each of them evaluates.
    """
    if task.together and process_count() > 1:
        raise InputError(
            f"--task {task.name} is trained by one process, and this is one of {process_count()}; start it"
            " without torchrun, on one GPU with CUDA_VISIBLE_DEVICES=0"
        )
    if task.together and batch_size < 2:
        raise InputError(
            f"--batch-size is {batch_size}, but --task {task.name} compares the examples of a batch; give"
            " at least 2"
        )
