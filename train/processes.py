"""Training in several processes, as torchrun and accelerate start them: who writes, how many there are."""

import os

from strop.errors import InputError


def process_count() -> int:
    """Processes that train together; each takes its own batches."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main() -> bool:
    """Whether this process writes the run and talks to the user."""
    return os.environ.get("RANK", "0") == "0"


def require_one_gpu_each() -> None:
    """Raise ``InputError`` where one process would spread over several GPUs."""
    import torch

    gpus = torch.cuda.device_count()
    if process_count() == 1 and gpus > 1:
        raise InputError(
            f"this machine shows {gpus} GPUs to one process; use them all with torchrun --nproc-per-node"
            f" {gpus} -m strop train …, or one with CUDA_VISIBLE_DEVICES=0"
        )
